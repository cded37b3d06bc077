"""Gives rows their carrier: alone, by the page when many are due, by the minute when they wait (1 and 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from postroom.database.engine import Connection
from postroom.identity import alone_workflow_id, new_id, page_workflow_id

# A loose index scan: one probe per (priority, tenant, channel) instead of one row per notification in the backlog.
GROUPS = """
WITH RECURSIVE groups AS (
    (SELECT priority, tenant_id, channel FROM notifications WHERE state = 'open' AND carrier_id IS NULL
     ORDER BY priority, tenant_id, channel LIMIT 1)
    UNION ALL
    SELECT following.* FROM groups CROSS JOIN LATERAL (
        SELECT n.priority, n.tenant_id, n.channel FROM notifications n
        WHERE n.state = 'open' AND n.carrier_id IS NULL
            AND (n.priority, n.tenant_id, n.channel) > (groups.priority, groups.tenant_id, groups.channel)
        ORDER BY n.priority, n.tenant_id, n.channel LIMIT 1
    ) following
)
SELECT g.priority, g.tenant_id, g.channel, t.slug FROM groups g JOIN tenants t ON t.id = g.tenant_id
ORDER BY g.priority, random()
"""

# Rows that were accepted while this transaction ran are seen too; measured by its start they would be early, and wait.
DUE = """
SELECT id FROM notifications
WHERE state = 'open' AND carrier_id IS NULL AND priority = %(priority)s AND tenant_id = %(tenant_id)s
    AND channel = %(channel)s AND due_at <= statement_timestamp()
ORDER BY due_at, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
"""

WAITING = """
SELECT id, date_trunc('minute', due_at) AS minute FROM notifications
WHERE state = 'open' AND carrier_id IS NULL AND priority = %(priority)s AND tenant_id = %(tenant_id)s
    AND channel = %(channel)s AND due_at > statement_timestamp()
ORDER BY due_at, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
"""

# The size is asked again once the lock is held: READ COMMITTED re-checks a row it had to wait for.
ROOM = """
SELECT id, size FROM carriers
WHERE kind = 'wake' AND state = 'open' AND tenant_id = %(tenant_id)s AND priority = %(priority)s
    AND channel = %(channel)s AND wake_minute = %(minute)s AND size < %(page)s
ORDER BY id LIMIT 1 FOR NO KEY UPDATE
"""

JOIN_WAKE = """
UPDATE carriers SET size = size + %(more)s, next_poke_at = CASE WHEN owed THEN next_poke_at ELSE wake_minute END,
    owed = true
WHERE id = %(carrier_id)s
"""

NEW = """
INSERT INTO carriers (id, tenant_id, workflow_id, priority, channel, kind, wake_minute, size, wake_by)
SELECT id, %(tenant_id)s, workflow_id, %(priority)s, %(channel)s, %(kind)s, %(minute)s, %(size)s, now() + %(grace)s
FROM unnest(%(ids)s::uuid[], %(workflow_ids)s::text[]) AS made (id, workflow_id)
"""

PLACE = """
UPDATE notifications n SET carrier_id = placed.carrier_id
FROM unnest(%(ids)s::uuid[], %(carrier_ids)s::uuid[]) AS placed (id, carrier_id) WHERE n.id = placed.id
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows without a carrier that may share one: same priority, tenant and channel."""

    priority: int
    tenant_id: UUID
    channel: str
    slug: str

    def key(self) -> dict[str, object]:
        """Parameters that name the group in a statement."""
        return {"priority": self.priority, "tenant_id": self.tenant_id, "channel": self.channel}


@dataclass(frozen=True, slots=True)
class PageSize:
    """How many rows one carrier takes, up to how many travel alone, and how long a carrier may stay unseen."""

    page: int
    alone: int
    grace: timedelta


@dataclass(frozen=True, slots=True)
class Page:
    """Rows that will share a carrier, and the minute they wait for, if they wait."""

    ids: Sequence[UUID]
    minute: datetime | None = None


async def groups(connection: Connection) -> list[Group]:
    """Name the groups that have rows to place, most urgent first, tenants in random order inside a priority."""
    return [Group(**row) async for row in await connection.execute(GROUPS)]


async def gather_due(connection: Connection, group: Group, size: PageSize) -> int:
    """Give up to a page of due rows of one group their carriers; returns how many rows were placed."""
    rows = await connection.execute(DUE, group.key() | {"limit": size.page})
    ids = [row["id"] async for row in rows]
    if len(ids) <= size.alone:
        carriers = [new_id() for _ in ids]
        names = [alone_workflow_id(group.slug, notification_id) for notification_id in ids]
        await _make(connection, group, size, {"kind": "alone", "ids": carriers, "workflow_ids": names})
        await _place(connection, ids, carriers)
    else:
        await _new_page(connection, group, size, Page(ids))
    return len(ids)


async def gather_waiting(connection: Connection, group: Group, size: PageSize) -> int:
    """Let rows that wait for a time join the carrier of their minute, or make one; returns how many were placed."""
    rows = await connection.execute(WAITING, group.key() | {"limit": size.page})
    by_minute: dict[datetime, list[UUID]] = {}
    async for row in rows:
        by_minute.setdefault(row["minute"], []).append(row["id"])
    for minute, ids in by_minute.items():
        rest = ids[await _join(connection, group, size, Page(ids, minute)) :]
        if rest:
            await _new_page(connection, group, size, Page(rest, minute))
    return sum(len(ids) for ids in by_minute.values())


async def _join(connection: Connection, group: Group, size: PageSize, rows: Page) -> int:
    found = await connection.execute(ROOM, group.key() | {"minute": rows.minute, "page": size.page})
    carrier = await found.fetchone()
    if carrier is None:
        return 0
    joining = rows.ids[: size.page - carrier["size"]]
    await connection.execute(JOIN_WAKE, {"carrier_id": carrier["id"], "more": len(joining)})
    await _place(connection, joining, [carrier["id"]] * len(joining))
    return len(joining)


async def _new_page(connection: Connection, group: Group, size: PageSize, rows: Page) -> None:
    carrier = new_id()
    row = {
        "kind": "wake" if rows.minute else "page",
        "minute": rows.minute,
        "size": len(rows.ids),
        "ids": [carrier],
        "workflow_ids": [page_workflow_id(group.slug, carrier)],
    }
    await _make(connection, group, size, row)
    await _place(connection, rows.ids, [carrier] * len(rows.ids))


async def _make(connection: Connection, group: Group, size: PageSize, row: Mapping[str, object]) -> None:
    await connection.execute(NEW, group.key() | {"minute": None, "size": 1, "grace": size.grace} | dict(row))


async def _place(connection: Connection, ids: Sequence[UUID], carriers: Sequence[UUID]) -> None:
    await connection.execute(PLACE, {"ids": list(ids), "carrier_ids": list(carriers)})
