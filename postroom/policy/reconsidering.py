"""What a person changed counts at once: what was decided before is taken back, and decided again."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from postroom.carriers.poking import owe_look
from postroom.database.engine import Connection, Database
from postroom.database.wording import listed
from postroom.deliveries.locking import lock_named
from postroom.policy.reasons import Wait

# Found among all that a person ever got: 30 ms for one of 50,000. An index of the open ones would make it 0.2 ms, and
# every insert some 5 microseconds dearer; people change their minds more seldom than they are written to.
THEIRS = "SELECT id FROM notifications WHERE user_id = %(user_id)s AND state = 'open'"

# A claim is taken back: whoever holds it meets a mark that refuses. A time that policy set counts no longer.
TAKE_BACK = f"""
UPDATE deliveries SET state = 'pending', token = NULL, not_before = now(),
    reason = CASE WHEN state = 'claimed' THEN reason END
WHERE notification_id = ANY(%(ids)s) AND (state = 'claimed' OR (state = 'pending' AND reason IN {listed(Wait)}))
RETURNING notification_id
"""

# Given back to the relay, a notification waits by its own time; what was asked for a later one still is.
BRING_FORWARD = """
UPDATE notifications SET due_at = greatest(scheduled_at, now()) WHERE id = ANY(%(ids)s) AND due_at > now()
"""

CARRIERS = "SELECT DISTINCT carrier_id FROM notifications WHERE id = ANY(%(ids)s) AND carrier_id IS NOT NULL"


@asynccontextmanager
async def reconsidered(database: Database, tenant_id: UUID, user_id: str) -> AsyncIterator[Connection]:
    """Write inside what is known of a person, in one transaction.

    Their open notifications are locked first, so that no claim is made from what was known before: one made earlier is
    taken back, one made later sees what is written here. What was accepted meanwhile is not under these locks, and may
    be claimed before this commits, so it is looked for afterwards.
    """
    async with database.tenant_transaction(tenant_id) as connection:
        known = await _open(connection, user_id)
        locked = await lock_named(connection, known)
        yield connection
        await _decide_again(connection, locked)
    async with database.tenant_transaction(tenant_id) as connection:
        if late := set(await _open(connection, user_id)).difference(known):
            await _decide_again(connection, await lock_named(connection, sorted(late)))


async def _open(connection: Connection, user_id: str) -> list[UUID]:
    return [row["id"] async for row in await connection.execute(THEIRS, {"user_id": user_id})]


async def _decide_again(connection: Connection, locked: Sequence[UUID]) -> None:
    found = await connection.execute(TAKE_BACK, {"ids": list(locked)})
    if taken_back := [row["notification_id"] async for row in found]:
        await connection.execute(BRING_FORWARD, {"ids": taken_back})
        carriers = await (await connection.execute(CARRIERS, {"ids": taken_back})).fetchall()
        await owe_look(connection, sorted(row["carrier_id"] for row in carriers))
