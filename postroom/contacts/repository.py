"""Statements about contacts, inside a tenant's transaction."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.contacts.person import Contact, Person
from postroom.database.engine import Connection

COLUMNS = "user_id, addresses, time_zone, language, attributes, consent, quiet_hours, created_at, updated_at"

READ = f"SELECT {COLUMNS} FROM contacts WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s"
LIST = f"""
SELECT {COLUMNS} FROM contacts WHERE tenant_id = %(tenant_id)s AND user_id > %(after)s ORDER BY user_id LIMIT %(count)s
"""
# Whoever is unknown becomes known first, and is locked then: two who write at once see each other's words.
MEET = """
INSERT INTO contacts (tenant_id, user_id) VALUES (%(tenant_id)s, %(user_id)s) ON CONFLICT DO NOTHING RETURNING user_id
"""
WRITE = f"""
UPDATE contacts SET addresses = %(addresses)s, time_zone = %(time_zone)s, language = %(language)s,
    attributes = %(attributes)s, consent = %(consent)s, quiet_hours = %(quiet_hours)s, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s
RETURNING {COLUMNS}
"""
LOCK = READ + " FOR UPDATE"


async def contact_of(connection: Connection, tenant_id: UUID, user_id: str, *, lock: bool = False) -> Contact | None:
    """Return a person's contact, locked until the end of the transaction when asked for."""
    named = {"tenant_id": tenant_id, "user_id": user_id}
    row = await (await connection.execute(LOCK if lock else READ, named)).fetchone()
    return _contact(row) if row else None


async def contacts_after(connection: Connection, tenant_id: UUID, window: tuple[str, int]) -> Sequence[Contact]:
    """Return contacts in the order of their names; `window` is the name to start behind, and how many."""
    after, count = window
    found = await connection.execute(LIST, {"tenant_id": tenant_id, "after": after, "count": count})
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
    return Contact(**{name.strip(): row[name.strip()] for name in COLUMNS.split(",")})
