"""Who is owed a look, and who must come back to look: poke (3), the watchdog (15), and owing one on purpose."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from postroom.database.engine import Connection
from postroom.pokes import backed_off, backoff
from postroom.timing import Timing

# The backoff is written before the start is tried: a poke that dies on the way is repeated, never forgotten.
POKE = f"""
UPDATE carriers c SET {backed_off("c")}
FROM (SELECT id FROM carriers WHERE state = 'open' AND owed AND next_poke_at <= now()
      ORDER BY priority, next_poke_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED) chosen, tenants t
WHERE c.id = chosen.id AND t.id = c.tenant_id
RETURNING c.id, c.tenant_id, t.slug, c.workflow_id, c.priority, c.channel, c.kind, c.size, c.pokes
"""

# Two statements: one that locks a row and updates it sees the version before its lock, and when many members of one
# carrier are changed at once, such statements wait for each other in a ring.
LOCK = "SELECT id FROM carriers WHERE id = ANY(%(ids)s) AND state = 'open' ORDER BY id FOR NO KEY UPDATE"
OWE = "UPDATE carriers SET owed = true, next_poke_at = now() WHERE id = ANY(%(ids)s) AND state = 'open'"

WATCH = """
UPDATE carriers SET owed = true, next_poke_at = now()
WHERE id IN (SELECT id FROM carriers WHERE state = 'open' AND NOT owed AND wake_by < now()
             ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED)
"""

ALIVE = "UPDATE carriers SET wake_by = now() + %(grace)s WHERE id = %(carrier_id)s AND state = 'open'"

ABANDONED = """
SELECT n.id FROM notifications n JOIN carriers c ON c.id = n.carrier_id
WHERE n.state = 'open' AND c.state = 'closed' LIMIT 100
"""

# Only carriers just handed over count: one whose provider hangs must not stand in the way of other tenants.
IN_FLIGHT = """
SELECT priority, tenant_id, channel, count(*) AS size FROM carriers
WHERE state = 'open' AND owed AND kind <> 'wake' AND created_at > now() - %(recent)s
GROUP BY priority, tenant_id, channel
"""

OWED = """
SELECT EXISTS (SELECT FROM carriers WHERE state = 'open' AND owed AND next_poke_at <= now() + %(soon)s) AS owed
"""


@dataclass(frozen=True, slots=True)
class Poke:
    """A carrier whose workflow must look: everything its start needs, ids and counts only.

    `pokes` counts this one and those before it that nobody has answered with a look.
    """

    id: UUID
    tenant_id: UUID
    slug: str
    workflow_id: str
    priority: int
    channel: str
    kind: str
    size: int
    pokes: int


async def take_pokes(connection: Connection, timing: Timing, limit: int) -> list[Poke]:
    """Take the carriers to poke now, most urgent first; the caller commits and then pokes."""
    parameters = backoff(timing, limit)
    return [Poke(**row) async for row in await connection.execute(POKE, parameters)]


async def owe_look(connection: Connection, carrier_ids: Sequence[UUID]) -> None:
    """Note that someone must look at these carriers now."""
    if carrier_ids:
        parameters = {"ids": list(carrier_ids)}
        await connection.execute(LOCK, parameters)
        await connection.execute(OWE, parameters)


async def watch(connection: Connection, limit: int) -> int:
    """Owe a look to carriers that should have come back by themselves; returns how many."""
    return (await connection.execute(WATCH, {"limit": limit})).rowcount


async def still_here(connection: Connection, carrier_id: UUID, grace: timedelta) -> None:
    """Tell the watchdog that a pass of this carrier is alive."""
    await connection.execute(ALIVE, {"carrier_id": carrier_id, "grace": grace})


async def abandoned(connection: Connection) -> list[UUID]:
    """Open notifications whose carrier is closed: must always be none (transition 18)."""
    return [row["id"] async for row in await connection.execute(ABANDONED)]


async def in_flight(connection: Connection, recent: timedelta) -> dict[tuple[int, UUID, str], int]:
    """How many carriers handed over within `recent` nobody has looked at yet, by priority, tenant and channel."""
    found = await connection.execute(IN_FLIGHT, {"recent": recent})
    return {(row["priority"], row["tenant_id"], row["channel"]): row["size"] async for row in found}


async def any_owed(connection: Connection, soon: timedelta) -> bool:
    """Whether a carrier is to be poked now or within `soon`."""
    row = await (await connection.execute(OWED, {"soon": soon})).fetchone()
    return bool(row and row["owed"])
