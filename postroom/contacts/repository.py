"""Statements about contacts, inside a tenant's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.contacts.person import Contact, Person
from postroom.contacts.tags import TAGS
from postroom.database.engine import Connection

COLUMNS = f"""
k.user_id, k.addresses, k.time_zone, k.language, k.attributes, k.consent, k.quiet_hours, k.created_at, k.updated_at,
{TAGS} AS tags
"""

READ = f"SELECT {COLUMNS} FROM contacts k WHERE k.tenant_id = %(tenant_id)s AND k.user_id = %(user_id)s"
AFTER = "k.tenant_id = %(tenant_id)s AND k.user_id > %(after)s AND k.user_id ^@ %(prefix)s"
LIST = f"SELECT {COLUMNS} FROM contacts k WHERE {AFTER} ORDER BY k.user_id LIMIT %(count)s"
# By the tag's own index, which is in the order of names: the people of a rare tag are not looked for among all.
LIST_TAGGED = f"""
SELECT {COLUMNS} FROM contact_tags t JOIN contacts k ON k.tenant_id = t.tenant_id AND k.user_id = t.user_id
WHERE t.tenant_id = %(tenant_id)s AND t.tag = %(tag)s AND t.user_id > %(after)s AND t.user_id ^@ %(prefix)s
    AND {AFTER}
ORDER BY t.user_id LIMIT %(count)s
"""
# The beginning of a name is a range of the index only when the planner sees it.
PLAN_FOR_THESE = "SET LOCAL plan_cache_mode = 'force_custom_plan'"
# Whoever is unknown becomes known first, and is locked then: two who write at once see each other's words.
MEET = """
INSERT INTO contacts (tenant_id, user_id) VALUES (%(tenant_id)s, %(user_id)s) ON CONFLICT DO NOTHING RETURNING user_id
"""
WRITE = f"""
UPDATE contacts k SET addresses = %(addresses)s, time_zone = %(time_zone)s, language = %(language)s,
    attributes = %(attributes)s, consent = %(consent)s, quiet_hours = %(quiet_hours)s, updated_at = now()
WHERE k.tenant_id = %(tenant_id)s AND k.user_id = %(user_id)s
RETURNING {COLUMNS}
"""
LOCK = READ + " FOR UPDATE OF k"


@dataclass(frozen=True, slots=True)
class Filters:
    """Which contacts are listed: those of a tag, those whose names begin so."""

    tag: str | None = None
    prefix: str = ""


async def contact_of(connection: Connection, tenant_id: UUID, user_id: str, *, lock: bool = False) -> Contact | None:
    """Return a person's contact, locked until the end of the transaction when asked for."""
    named = {"tenant_id": tenant_id, "user_id": user_id}
    row = await (await connection.execute(LOCK if lock else READ, named)).fetchone()
    return _contact(row) if row else None


async def contacts_after(
    connection: Connection, tenant_id: UUID, filters: Filters, window: tuple[str, int]
) -> Sequence[Contact]:
    """Return contacts in the order of their names; `window` is the name to start behind, and how many."""
    after, count = window
    named = {"tenant_id": tenant_id, "after": after, "count": count, "prefix": filters.prefix, "tag": filters.tag}
    await connection.execute(PLAN_FOR_THESE)
    found = await connection.execute(LIST if filters.tag is None else LIST_TAGGED, named)
    return [_contact(row) async for row in found]


async def met_contact(connection: Connection, tenant_id: UUID, user_id: str) -> tuple[Contact, bool]:
    """Return a person's contact, locked until the end of the transaction; the second value tells whether it is new."""
    named = {"tenant_id": tenant_id, "user_id": user_id}
    is_new = await (await connection.execute(MEET, named)).fetchone() is not None
    [row] = await (await connection.execute(LOCK, named)).fetchall()
    return _contact(row), is_new


async def write_contact(connection: Connection, tenant_id: UUID, person: Person, consent: Mapping[str, Any]) -> Contact:
    """Write a contact whole; it is there, and locked."""
    values = {
        "tenant_id": tenant_id,
        "user_id": person.user_id,
        "addresses": Jsonb(dict(person.addresses)),
        "time_zone": person.time_zone,
        "language": person.language,
        "attributes": Jsonb(dict(person.attributes)),
        "consent": Jsonb(dict(consent)),
        "quiet_hours": None if person.quiet_hours is None else Jsonb(dict(person.quiet_hours)),
    }
    [row] = await (await connection.execute(WRITE, values)).fetchall()
    return _contact(row)


def _contact(row: Mapping[str, Any]) -> Contact:
    return Contact(**{**row, "tags": tuple(row["tags"])})
