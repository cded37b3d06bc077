"""The statements of one piece of an import: what is known of its people, and what is written of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from postroom.contact_files.deciding import Entry, Verdict
from postroom.contact_files.models import Outcome
from postroom.contact_files.rows import Problem
from postroom.contacts.person import Contact
from postroom.contacts.repository import COLUMNS
from postroom.database.arrays import Integers, Octets, Texts, Uuids
from postroom.database.engine import Connection
from postroom.identity import new_id

CONTACTS = f"""
SELECT {COLUMNS} FROM contacts k WHERE k.tenant_id = %(tenant_id)s AND k.user_id = ANY(%(users)b::text[])
ORDER BY k.user_id
"""
LOCKED = CONTACTS + " FOR UPDATE OF k"
ERASED = """
SELECT address_hash FROM suppressions
WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s AND address_hash = ANY(%(hashes)b::bytea[])
    AND scope = 'all' AND reason = 'erased'
"""
MET = """
SELECT person_hash, line, outcome FROM contact_file_people
WHERE job_id = %(job_id)s AND person_hash = ANY(%(hashes)b::bytea[])
"""
MEET = """
INSERT INTO contact_file_people (job_id, tenant_id, person_hash, line, outcome)
SELECT %(job_id)s, %(tenant_id)s, person_hash, line, outcome
FROM unnest(%(hashes)b::bytea[], %(lines)b::integer[], %(outcomes)b::text[]) AS one (person_hash, line, outcome)
ON CONFLICT (job_id, person_hash) DO UPDATE SET line = excluded.line, outcome = excluded.outcome
"""
ONES = """
unnest(%(users)b::text[], %(addresses)b::text[], %(zones)b::text[], %(languages)b::text[], %(attributes)b::text[],
       %(consents)b::text[]) AS one (user_id, addresses, time_zone, language, attributes, consent)
"""
MAKE = f"""
INSERT INTO contacts (tenant_id, user_id, addresses, time_zone, language, attributes, consent)
SELECT %(tenant_id)s, user_id, addresses::jsonb, time_zone, language, attributes::jsonb, consent::jsonb FROM {ONES}
ORDER BY user_id ON CONFLICT DO NOTHING
"""
CHANGE = f"""
UPDATE contacts k SET addresses = one.addresses::jsonb, time_zone = one.time_zone, language = one.language,
    attributes = one.attributes::jsonb, consent = one.consent::jsonb, updated_at = now()
FROM {ONES} WHERE k.tenant_id = %(tenant_id)s AND k.user_id = one.user_id
"""
TAG = """
INSERT INTO contact_tags (tenant_id, user_id, tag)
SELECT %(tenant_id)s, user_id, tag FROM unnest(%(users)b::text[], %(tags)b::text[]) AS one (user_id, tag)
ORDER BY user_id, tag ON CONFLICT DO NOTHING
"""
NOTE = """
INSERT INTO preference_events (tenant_id, user_id, api_key_id, subject, channel, before, after)
SELECT %(tenant_id)s, user_id, %(api_key_id)s, 'consent', channel, before::jsonb, after::jsonb
FROM unnest(%(users)b::text[], %(channels)b::text[], %(befores)b::text[], %(afters)b::text[])
    AS one (user_id, channel, before, after)
"""
PROBLEM = """
INSERT INTO contact_file_errors (id, job_id, tenant_id, line, column_name, code, message)
SELECT id, %(job_id)s, %(tenant_id)s, line, column_name, code, message
FROM unnest(%(ids)b::uuid[], %(lines)b::integer[], %(columns)b::text[], %(codes)b::text[], %(messages)b::text[])
    AS one (id, line, column_name, code, message)
"""


class Overtaken(Exception):
    """Somebody else wrote one of these contacts meanwhile, so that the piece must be decided anew."""


async def contacts_of(
    connection: Connection, tenant_id: UUID, users: Iterable[str], *, lock: bool
) -> dict[str, Contact]:
    """Return the contacts of some people, in the order of their names if they are locked."""
    found = await connection.execute(LOCKED if lock else CONTACTS, {"tenant_id": tenant_id, "users": Texts(users)})
    return {row["user_id"]: Contact(**row) async for row in found}


async def erased_of(connection: Connection, tenant_id: UUID, channel: str, hashes: Iterable[bytes]) -> set[bytes]:
    """Return those of some hashes of addresses whose people were erased."""
    asked = {"tenant_id": tenant_id, "channel": channel, "hashes": Octets(hashes)}
    return {bytes(row["address_hash"]) async for row in await connection.execute(ERASED, asked)}


async def met_by(connection: Connection, job_id: UUID, hashes: Iterable[bytes]) -> dict[bytes, tuple[int, Outcome]]:
    """Return in which line an import met some people before, and what came of that."""
    found = await connection.execute(MET, {"job_id": job_id, "hashes": Octets(hashes)})
    return {bytes(row["person_hash"]): (row["line"], Outcome(row["outcome"])) async for row in found}


async def meet(connection: Connection, place: Mapping[str, Any], people: Mapping[bytes, tuple[int, Outcome]]) -> None:
    """Remember whom an import met; `place` is its job and tenant."""
    lines, outcomes = Integers(line for line, _ in people.values()), Texts(one for _, one in people.values())
    await connection.execute(MEET, {**place, "hashes": Octets(people), "lines": lines, "outcomes": outcomes})


async def write_people(connection: Connection, tenant_id: UUID, api_key_id: UUID | None, verdict: Verdict) -> None:
    """Write the entries of a piece: contacts, tags, and a note of every consent that is another one now.

    Raises:
        Overtaken: somebody became known meanwhile; the transaction must not commit.
    """
    for statement, entries in ((MAKE, verdict.made), (CHANGE, verdict.changed)):
        if entries:
            written = await connection.execute(statement, {"tenant_id": tenant_id, **_columns(entries)})
            if written.rowcount != len(entries):
                raise Overtaken
    both = [*verdict.made, *verdict.changed]
    if tagged := [(entry.contact.user_id, tag) for entry in both for tag in entry.tags]:
        users, tags = zip(*tagged, strict=True)
        await connection.execute(TAG, {"tenant_id": tenant_id, "users": Texts(users), "tags": Texts(tags)})
    if agreed := [(entry.contact.user_id, *change) for entry in both for change in entry.changes]:
        asked = {
            "tenant_id": tenant_id,
            "api_key_id": api_key_id,
            "users": Texts(one[0] for one in agreed),
            "channels": Texts(one[1] for one in agreed),
            "befores": Texts(None if one[2] is None else _json(one[2]) for one in agreed),
            "afters": Texts(_json(one[3]) for one in agreed),
        }
        await connection.execute(NOTE, asked)


async def tell(connection: Connection, place: Mapping[str, Any], problems: Sequence[Problem]) -> None:
    """Write down what is wrong with which line; `place` as above."""
    if problems:
        asked = {
            **place,
            "ids": Uuids(new_id() for _ in problems),
            "lines": Integers(one.line for one in problems),
            "columns": Texts(one.column for one in problems),
            "codes": Texts(one.code for one in problems),
            "messages": Texts(one.message for one in problems),
        }
        await connection.execute(PROBLEM, asked)


def _columns(entries: Sequence[Entry]) -> dict[str, Texts]:
    contacts = [entry.contact for entry in entries]
    return {
        "users": Texts(one.user_id for one in contacts),
        "addresses": Texts(_json(one.addresses) for one in contacts),
        "zones": Texts(one.time_zone for one in contacts),
        "languages": Texts(one.language for one in contacts),
        "attributes": Texts(_json(one.attributes) for one in contacts),
        "consents": Texts(_json(one.consent) for one in contacts),
    }


def _json(value: object) -> str:
    """Spell JSON; `json` takes ten times as long."""
    return to_json(value).decode()
