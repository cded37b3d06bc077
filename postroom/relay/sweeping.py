"""What every worker checks now and then: lost hand-offs, expiry, late evidence, carriers that should have come back."""

from dataclasses import dataclass
from uuid import UUID

from postroom.campaigns.sending.sweeping import find_lapsed, take_late
from postroom.carriers.poking import abandoned, owe_look, watch
from postroom.database.engine import Connection, Database
from postroom.deliveries.locking import lock_free
from postroom.deliveries.settling import correct_late, settle
from postroom.identity import NOTIFICATION, public_id
from postroom.sender_services.waking import resume_tasks

BATCH = 500

LAPSED = """
SELECT notification_id FROM deliveries
WHERE state = 'handing_off' AND lease_until < now() AND notification_id IS NOT NULL LIMIT %(limit)s
"""

OVERDUE = """
SELECT n.id FROM notifications n WHERE n.state = 'open' AND n.expires_at <= now() AND NOT EXISTS (
    SELECT FROM deliveries d WHERE d.notification_id = n.id AND d.state IN ('handing_off', 'unknown', 'held'))
LIMIT %(limit)s
"""

CARRIERS = """
SELECT DISTINCT carrier_id FROM notifications WHERE id = ANY(%(ids)s) AND carrier_id IS NOT NULL
"""

OLD_KEYS = """
DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM idempotency_keys WHERE created_at < now() - interval '24 hours' LIMIT %(limit)s))
"""


@dataclass(frozen=True, slots=True)
class Findings:
    """What one round of sweeping found."""

    lapsed: int
    overdue: int
    late: int
    overslept: int
    abandoned: tuple[str, ...]


async def sweep(database: Database, *, audit: bool = True) -> Findings:
    """One round; with `audit` it also looks for what must never be.

    Each step is a short transaction of its own, guarded, and may run early, twice or in parallel.
    """
    lapsed = await _settle_some(database, LAPSED)
    overdue = await _settle_some(database, OVERDUE)
    async with database.system_transaction() as connection:
        late = await correct_late(connection, BATCH)
    async with database.system_transaction() as connection:
        lapsed += await find_lapsed(connection, BATCH)
    async with database.system_transaction() as connection:
        late += await take_late(connection, BATCH)
    async with database.system_transaction() as connection:
        overslept = await watch(connection, BATCH)
        lost = await abandoned(connection) if audit else []
        await connection.execute(OLD_KEYS, {"limit": BATCH})
        await resume_tasks(connection)
    return Findings(lapsed, overdue, late, overslept, tuple(public_id(NOTIFICATION, one) for one in lost))


async def _settle_some(database: Database, which: str) -> int:
    async with database.system_transaction() as connection:
        ids = await lock_free(connection, await _first_column(connection, which))
        await settle(connection, ids)
        if ids:
            carriers = await connection.execute(CARRIERS, {"ids": ids})
            await owe_look(connection, [row["carrier_id"] async for row in carriers])
        return len(ids)


async def _first_column(connection: Connection, statement: str) -> list[UUID]:
    rows = await connection.execute(statement, {"limit": BATCH})
    return [next(iter(row.values())) async for row in rows]
