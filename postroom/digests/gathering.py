"""Gives digests the workflow that will close them: one of its own while few close at an instant, else a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from postroom.database.engine import Connection
from postroom.identity import digest_workflow_id, digests_workflow_id, new_id

ALONE = 20  # digests of one tenant and channel at one instant that have a workflow each
PAGE = 500

# A loose index scan: one probe per (tenant, channel, instant) instead of one row per digest.
INSTANTS = """
WITH RECURSIVE instants AS (
    (SELECT tenant_id, channel, closes_at FROM digests WHERE state IN ('open', 'closing') AND closing_id IS NULL
     ORDER BY tenant_id, channel, closes_at LIMIT 1)
    UNION ALL
    SELECT following.* FROM instants CROSS JOIN LATERAL (
        SELECT g.tenant_id, g.channel, g.closes_at FROM digests g
        WHERE g.state IN ('open', 'closing') AND g.closing_id IS NULL
            AND (g.tenant_id, g.channel, g.closes_at) > (instants.tenant_id, instants.channel, instants.closes_at)
        ORDER BY g.tenant_id, g.channel, g.closes_at LIMIT 1
    ) following
)
SELECT i.tenant_id, i.channel, i.closes_at, t.slug FROM instants i JOIN tenants t ON t.id = i.tenant_id LIMIT 200
"""

PLACELESS = """
SELECT id FROM digests
WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s AND closes_at = %(closes_at)s
    AND state IN ('open', 'closing') AND closing_id IS NULL
ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
"""

HOW_MANY_ALONE = """
SELECT count(*) AS count FROM closings WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s
    AND closes_at = %(closes_at)s AND kind = 'alone' AND state = 'open'
"""

# The size is asked again once the lock is held: READ COMMITTED re-checks a row it had to wait for.
ROOM = """
SELECT id, size FROM closings
WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s AND closes_at = %(closes_at)s AND kind = 'page'
    AND state = 'open' AND size < %(page)s
ORDER BY id LIMIT 1 FOR NO KEY UPDATE
"""

# Should everybody else have been moved to a later time, the newcomer's is not slept through.
JOIN = """
UPDATE closings SET size = size + %(more)s, next_poke_at = CASE WHEN owed THEN next_poke_at ELSE closes_at END,
    owed = true
WHERE id = %(id)s
"""

NEW = """
INSERT INTO closings (id, tenant_id, workflow_id, channel, kind, closes_at, size, wake_by)
SELECT id, %(tenant_id)s, workflow_id, %(channel)s, %(kind)s, %(closes_at)s, %(size)s, now() + %(grace)s
FROM unnest(%(ids)s::uuid[], %(workflow_ids)s::text[]) AS made (id, workflow_id)
"""

PLACE = """
UPDATE digests g SET closing_id = placed.closing_id
FROM unnest(%(ids)s::uuid[], %(closing_ids)s::uuid[]) AS placed (id, closing_id) WHERE g.id = placed.id
"""


@dataclass(frozen=True, slots=True)
class Instant:
    """Digests of one tenant and channel that close at the same moment."""

    tenant_id: UUID
    channel: str
    closes_at: datetime
    slug: str

    def key(self) -> dict[str, object]:
        """Parameters that name the instant in a statement."""
        return {"tenant_id": self.tenant_id, "channel": self.channel, "closes_at": self.closes_at}


async def instants(connection: Connection) -> Sequence[Instant]:
    """Name the moments for which digests have no workflow yet."""
    return [Instant(**row) async for row in await connection.execute(INSTANTS)]


async def gather(connection: Connection, instant: Instant, grace: timedelta) -> int:
    """Give up to a page of digests of one instant their closing; returns how many were placed."""
    rows = await connection.execute(PLACELESS, instant.key() | {"limit": PAGE})
    ids = [row["id"] async for row in rows]
    if not ids:
        return 0
    [few] = await (await connection.execute(HOW_MANY_ALONE, instant.key())).fetchall()
    if few["count"] + len(ids) <= ALONE:
        await _each_its_own(connection, instant, grace, ids)
        return len(ids)
    rest = ids[await _join(connection, instant, ids) :]
    if rest:
        await _new_page(connection, instant, grace, rest)
    return len(ids)


async def _each_its_own(connection: Connection, instant: Instant, grace: timedelta, ids: Sequence[UUID]) -> None:
    closings = [new_id() for _ in ids]
    row = {"kind": "alone", "size": 1, "grace": grace, "ids": closings}
    row["workflow_ids"] = [digest_workflow_id(instant.slug, one) for one in ids]
    await connection.execute(NEW, instant.key() | row)
    await connection.execute(PLACE, {"ids": list(ids), "closing_ids": closings})


async def _join(connection: Connection, instant: Instant, ids: Sequence[UUID]) -> int:
    page = await (await connection.execute(ROOM, instant.key() | {"page": PAGE})).fetchone()
    if page is None:
        return 0
    joining = list(ids[: PAGE - page["size"]])
    await connection.execute(JOIN, {"id": page["id"], "more": len(joining)})
    await connection.execute(PLACE, {"ids": joining, "closing_ids": [page["id"]] * len(joining)})
    return len(joining)


async def _new_page(connection: Connection, instant: Instant, grace: timedelta, ids: Sequence[UUID]) -> None:
    page = new_id()
    row = {"kind": "page", "size": len(ids), "grace": grace, "ids": [page]}
    row["workflow_ids"] = [digests_workflow_id(instant.slug, page)]
    await connection.execute(NEW, instant.key() | row)
    await connection.execute(PLACE, {"ids": list(ids), "closing_ids": [page] * len(ids)})
