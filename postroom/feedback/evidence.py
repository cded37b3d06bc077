"""What came back from a mail proves that it arrived: hand-offs nobody answered count as accepted."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from postroom.campaigns.pages import owe_tasks, touch_pages
from postroom.carriers.poking import owe_look
from postroom.channels.base import Answer, Phase, Verdict
from postroom.database.engine import Connection
from postroom.deliveries.ledger import Claim, record_all
from postroom.deliveries.locking import lock_named
from postroom.deliveries.settling import settle
from postroom.timing import Timing

WITNESS = "feedback"  # who recorded it, where a worker stands otherwise
FOUND = Answer(Verdict.ACCEPTED, Phase.ANSWER, "evidence_found")

# What is being handed off is answered for by whoever does it. One that is sent again because nobody knew is not, once
# its first copy is known to have arrived.
DOUBTFUL = """
SELECT id, notification_id, task_id, seq FROM deliveries
WHERE id = ANY(%(ids)s) AND (
    state IN ('unknown', 'held') OR (state = 'failed' AND reason = 'outcome_unknown')
    OR (resends > 0 AND state NOT IN ('accepted', 'handing_off')))
ORDER BY id
"""
CARRIERS = "SELECT DISTINCT carrier_id FROM notifications WHERE id = ANY(%(ids)s) AND carrier_id IS NOT NULL"


async def learn_accepted(connection: Connection, ids: Sequence[UUID], timing: Timing) -> int:
    """Accept what nobody answered for of these deliveries, in the caller's transaction over all tenants.

    Locks notifications, deliveries, carriers, pages and tasks in this order; returns how many were in doubt.
    """
    rows = await (await connection.execute(DOUBTFUL, {"ids": list(ids)})).fetchall()
    if not rows:
        return 0
    open_ones = await lock_named(connection, sorted({row["notification_id"] for row in rows if row["notification_id"]}))
    await record_all(connection, [(Claim(row["id"], uuid4()), FOUND) for row in rows], timing, WITNESS)
    if open_ones:
        await settle(connection, open_ones)
        carriers = await connection.execute(CARRIERS, {"ids": open_ones})
        await owe_look(connection, [row["carrier_id"] async for row in carriers])
    tasks = sorted({row["task_id"] for row in rows if row["task_id"]})
    for task_id in tasks:
        await touch_pages(connection, task_id, [row["seq"] for row in rows if row["task_id"] == task_id])
    await owe_tasks(connection, tasks)
    return len(rows)
