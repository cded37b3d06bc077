"""Statements about suppressions, inside one tenant's transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.database.engine import Connection
from postroom.suppressions.models import Suppression

Row = dict[str, Any]

COLUMNS = "s.id, s.channel, s.address_hash, s.scope, s.reason, s.source, s.note, s.created_at"

ASKED = """
WITH asked AS (
    SELECT DISTINCT ON (channel, address_hash, scope) * FROM unnest(
        %(ids)s::uuid[], %(channels)s::text[], %(hashes)b::bytea[], %(scopes)s::text[], %(reasons)s::text[],
        %(notes)s::text[]) AS asked (id, channel, address_hash, scope, reason, note)
    ORDER BY channel, address_hash, scope
)"""
THERE = f"""
SELECT {COLUMNS}, false AS is_new FROM suppressions s JOIN asked USING (channel, address_hash, scope)
WHERE s.tenant_id = %(tenant_id)s
"""
# In the order of their hashes: two lists that meet wait for each other in one direction only. What is there stays as it
# was: the first reason is the one that counts.
ADD = f"""{ASKED}, added AS (
    INSERT INTO suppressions (id, tenant_id, channel, address_hash, scope, reason, source, note)
    SELECT id, %(tenant_id)s, channel, address_hash, scope, reason, %(source)s, note FROM asked
    ORDER BY channel, address_hash, scope
    ON CONFLICT (tenant_id, channel, address_hash, scope) DO NOTHING
    RETURNING *
)
SELECT {COLUMNS}, true AS is_new FROM added s UNION ALL {THERE}
"""

REMOVE = "DELETE FROM suppressions WHERE tenant_id = %(tenant_id)s AND id = %(id)s"
REMOVE_ADDRESS = """
DELETE FROM suppressions WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s AND address_hash = %(hash)s
    AND scope = coalesce(%(scope)s, scope)
"""
OF_ADDRESS = f"""
SELECT {COLUMNS} FROM suppressions s
WHERE s.tenant_id = %(tenant_id)s AND s.channel = %(channel)s AND s.address_hash = %(hash)s ORDER BY s.scope
"""
ADDRESSES = "SELECT addresses FROM contacts WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s"


async def add(connection: Connection, columns: Row) -> list[Row]:
    """Write entries, given column by column; returns them all as they stand now, `is_new` telling which were added."""
    return await (await connection.execute(ADD, columns)).fetchall()


async def standing(connection: Connection, columns: Row) -> list[Row]:
    """Return what is there of entries, given like those of `add`."""
    return await (await connection.execute(ASKED + THERE, columns)).fetchall()


async def remove(connection: Connection, tenant_id: UUID, suppression_id: UUID) -> bool:
    """Take one entry away; False when there is none."""
    return (await connection.execute(REMOVE, {"tenant_id": tenant_id, "id": suppression_id})).rowcount == 1


async def remove_address(connection: Connection, place: Row) -> int:
    """Take away what is suppressed of an address: `tenant_id`, `channel`, `hash`, and `scope` or None for all of it."""
    return (await connection.execute(REMOVE_ADDRESS, place)).rowcount


async def of_address(connection: Connection, place: Row) -> list[Row]:
    """Return what is suppressed of an address: `tenant_id`, `channel`, `hash`."""
    return await (await connection.execute(OF_ADDRESS, place)).fetchall()


async def addresses_of(connection: Connection, tenant_id: UUID, user_id: str) -> dict[str, Any]:
    """Return the addresses a tenant knows of a person."""
    row = await (await connection.execute(ADDRESSES, {"tenant_id": tenant_id, "user_id": user_id})).fetchone()
    return dict(row["addresses"]) if row else {}


async def page(session: AsyncSession, asked: Row, window: tuple[UUID | None, int]) -> Sequence[Suppression]:
    """Return entries, newest first; `asked` may narrow by channel, reason and scope."""
    after, count = window
    statement = select(Suppression).order_by(Suppression.id.desc()).limit(count)
    for name, value in asked.items():
        if value is not None:
            statement = statement.where(getattr(Suppression, name) == str(value))
    if after is not None:
        statement = statement.where(Suppression.id < after)
    return (await session.scalars(statement)).all()
