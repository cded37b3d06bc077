"""The one lock order: notifications by id, deliveries by id, the carrier; of a task deliveries, pages, the task."""

from collections.abc import Sequence
from uuid import UUID

from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES
from postroom.database.engine import Connection
from postroom.database.wording import listed

CARRIED = """
SELECT id FROM notifications WHERE carrier_id = %(carrier_id)s AND state = 'open' ORDER BY id FOR NO KEY UPDATE
"""

NAMED = """
SELECT id FROM notifications WHERE id = ANY(%(ids)s) AND state = 'open' ORDER BY id FOR NO KEY UPDATE
"""

# The sweeper is in no hurry: a row somebody holds is being looked after.
FREE = NAMED + " SKIP LOCKED"

DELIVERIES = f"""
SELECT id FROM deliveries
WHERE (notification_id = ANY(%(ids)s) OR id = ANY(%(recipients)s)) AND state NOT IN {listed(FINAL_DELIVERY_STATES)}
ORDER BY id FOR NO KEY UPDATE
"""


async def lock_carried(connection: Connection, carrier_id: UUID) -> list[UUID]:
    """Lock the open members of a carrier and return their ids; `settle` locks their deliveries next."""
    return await _ids(connection, CARRIED, {"carrier_id": carrier_id})


async def lock_free(connection: Connection, ids: Sequence[UUID]) -> list[UUID]:
    """Lock those of these open notifications that nobody holds and return their ids; `settle` locks the rest."""
    return await _ids(connection, FREE, {"ids": list(ids)})


async def lock_named(connection: Connection, ids: Sequence[UUID], recipients: Sequence[UUID] = ()) -> list[UUID]:
    """Lock these notifications, as far as they are open, and their deliveries; returns the ids that were.

    `recipients` are deliveries of tasks that are locked among them.
    """
    locked = await _ids(connection, NAMED, {"ids": list(ids)}) if ids else []
    if locked or recipients:
        await connection.execute(DELIVERIES, {"ids": locked, "recipients": list(recipients)})
    return locked


async def _ids(connection: Connection, statement: str, parameters: dict[str, object]) -> list[UUID]:
    return [row["id"] async for row in await connection.execute(statement, parameters)]
