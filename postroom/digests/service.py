"""Reading digests, and closing one before its time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection, Database
from postroom.digests.items import WAITING_IN_G
from postroom.digests.poking import owe_look
from postroom.errors import Conflict, NotFound
from postroom.paging import Page

SHOWN = 100  # items that the answer about one digest names

COLUMNS = f"""
SELECT g.id, g.user_id, g.notification_type, g.channel, g.state, g.closes_at, g.created_at, g.closed_at,
       g.notification_id, c.workflow_id,
       CASE WHEN g.state IN ('sent', 'empty') THEN g.items
            ELSE (SELECT count(*) {WAITING_IN_G}) END AS items
FROM digests g LEFT JOIN closings c ON c.id = g.closing_id
"""
NEWEST = "ORDER BY g.id DESC LIMIT %(limit)s"
ASKED = {"user_id": "g.user_id = %(user_id)s", "state": "g.state = %(state)s", "after": "g.id < %(after)s"}
ONE = f"{COLUMNS} WHERE g.id = %(id)s"

ITEMS = """
SELECT i.notification_id, i.added_at, i.taken_at, n.state, n.reason
FROM digest_items i JOIN notifications n ON n.id = i.notification_id
WHERE i.digest_id = %(id)s ORDER BY i.notification_id LIMIT %(limit)s
"""

LOCK = "SELECT state, closing_id FROM digests WHERE id = %(id)s FOR NO KEY UPDATE"
NOW = "UPDATE digests SET closes_at = least(closes_at, now()) WHERE id = %(id)s AND state = 'open'"


class DigestState(StrEnum):
    """Gathers, is being closed, was told, or had nothing to tell."""

    OPEN = "open"
    CLOSING = "closing"
    SENT = "sent"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest as it stands; `items` still wait in it, or were told."""

    id: UUID
    user_id: str
    notification_type: str
    channel: str
    state: DigestState
    closes_at: datetime
    created_at: datetime
    closed_at: datetime | None
    notification_id: UUID | None
    workflow_id: str | None
    items: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Digest":
        """Read a row."""
        return cls(**{name: row[name] for name in cls.__slots__ if name != "state"}, state=DigestState(row["state"]))


@dataclass(frozen=True, slots=True)
class Item:
    """A notification that came into a digest, and what became of it."""

    notification_id: UUID
    added_at: datetime
    taken_at: datetime | None
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which digests are asked for."""

    user_id: str | None = None
    state: DigestState | None = None


class Digests:
    """Digests of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, tenant_id: UUID, filters: Filters, window: tuple[UUID | None, int]) -> Page[Digest]:
        """Return digests, newest first; `window` is the id to start behind, and how many."""
        after, limit = window
        asked = {"user_id": filters.user_id, "state": filters.state, "after": after}
        conditions = [ASKED[name] for name, value in asked.items() if value is not None]
        statement = " ".join([COLUMNS, "WHERE", " AND ".join(["true", *conditions]), NEWEST])
        async with self._database.tenant_transaction(tenant_id) as connection:
            rows = await (await connection.execute(statement, asked | {"limit": limit + 1})).fetchall()
        items = [Digest.of(row) for row in rows[:limit]]
        return Page(items, items[-1].id if len(rows) > limit else None)

    async def whole(self, tenant_id: UUID, digest_id: UUID) -> tuple[Digest, Sequence[Item]]:
        """Return a digest and the first of its items."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            digest = await _found(connection, digest_id)
            rows = await connection.execute(ITEMS, {"id": digest_id, "limit": SHOWN})
            return digest, [Item(**row) async for row in rows]

    async def close(self, tenant_id: UUID, digest_id: UUID) -> Digest:
        """Let a digest close now, with what waits in it; asking again changes nothing.

        Raises:
            NotFound: the tenant has no such digest.
            Conflict: it is closed already (`already_closed`).
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            row = await (await connection.execute(LOCK, {"id": digest_id})).fetchone()
            if row and row["state"] in {DigestState.SENT, DigestState.EMPTY}:
                raise Conflict("The digest is closed already.", code="already_closed")
            await connection.execute(NOW, {"id": digest_id})
            await owe_look(connection, {row["closing_id"]} if row and row["closing_id"] else ())
            return await _found(connection, digest_id)


async def _found(connection: Connection, digest_id: UUID) -> Digest:
    row = await (await connection.execute(ONE, {"id": digest_id})).fetchone()
    if row is None:
        raise NotFound("There is no such digest.")
    return Digest.of(row)
