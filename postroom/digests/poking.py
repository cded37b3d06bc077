"""Which workflow closes which digests, and who is owed a look: as with carriers, so that nobody is forgotten."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from postroom.database.engine import Connection
from postroom.pokes import backed_off, backoff
from postroom.timing import Timing

# The backoff is written before the start is tried: a poke that dies on the way is repeated, never forgotten.
POKE = f"""
UPDATE closings c SET {backed_off("c")}
FROM (SELECT id FROM closings WHERE state = 'open' AND owed AND next_poke_at <= now()
      ORDER BY next_poke_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED) chosen, tenants t
WHERE c.id = chosen.id AND t.id = c.tenant_id
RETURNING c.id, c.tenant_id, t.slug, c.workflow_id, c.channel, c.kind, c.closes_at, c.size
"""

# Two statements: one that locks a row and updates it sees the version before its lock.
LOCK = "SELECT id FROM closings WHERE id = ANY(%(ids)s) AND state = 'open' ORDER BY id FOR NO KEY UPDATE"
OWE = "UPDATE closings SET owed = true, next_poke_at = now() WHERE id = ANY(%(ids)s) AND state = 'open'"

WATCH = """
UPDATE closings SET owed = true, next_poke_at = now()
WHERE id IN (SELECT id FROM closings WHERE state = 'open' AND NOT owed AND wake_by < now()
             ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class ClosingPoke:
    """A closing whose workflow must look: everything its start needs, ids and counts only."""

    id: UUID
    tenant_id: UUID
    slug: str
    workflow_id: str
    channel: str
    kind: str
    closes_at: datetime
    size: int


async def take_pokes(connection: Connection, timing: Timing, limit: int) -> Sequence[ClosingPoke]:
    """Take the closings to poke now; the caller commits and then pokes."""
    parameters = backoff(timing, limit)
    return [ClosingPoke(**row) async for row in await connection.execute(POKE, parameters)]


async def owe_look(connection: Connection, closing_ids: Collection[UUID]) -> None:
    """Note that someone must look at these closings now; digests are locked before them."""
    if closing_ids:
        parameters = {"ids": sorted(closing_ids)}
        await connection.execute(LOCK, parameters)
        await connection.execute(OWE, parameters)


async def watch(connection: Connection, limit: int) -> int:
    """Owe a look to closings that should have come back by themselves; returns how many."""
    return (await connection.execute(WATCH, {"limit": limit})).rowcount
