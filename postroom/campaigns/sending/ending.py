"""The end of a task: everybody is accounted for, or it could not begin."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.campaigns.pages import counted
from postroom.campaigns.sending.orders import order
from postroom.campaigns.sending.settling import settle_page
from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES, FINAL_TASK_STATES, DeliveryState, TaskState
from postroom.database.engine import Connection, Database
from postroom.webhooks.models import EventType
from postroom.webhooks.task_events import tell_task

FAIL = """
WITH failed AS (
    UPDATE campaign_tasks SET state = 'failed', reason = %(reason)s, ended_at = now(), totals = '{}', updated_at = now()
    WHERE id = %(task_id)s AND state IN ('scheduled', 'sending') AND frozen_at IS NULL RETURNING id, tenant_id, reason
)
INSERT INTO task_events (task_id, tenant_id, kind, reason) SELECT id, tenant_id, 'failed', reason FROM failed
"""

LOCK = """
SELECT state, cancel_requested, ended_at, audience FROM campaign_tasks
WHERE id = %(task_id)s AND (frozen_at IS NOT NULL OR cancel_requested) FOR NO KEY UPDATE
"""
BY_ROWS = (
    "SELECT state, count(*)::int AS count FROM deliveries WHERE task_id = %(task_id)s GROUP BY state ORDER BY state"
)
OPEN = "SELECT EXISTS (SELECT FROM task_pages WHERE task_id = %(task_id)s AND next_at IS NOT NULL) AS open"

END = """
WITH ended AS (
    UPDATE campaign_tasks SET state = %(state)s, reason = CASE WHEN %(state)s = 'cancelled' THEN 'cancelled' END,
        audience = %(audience)s, totals = %(totals)s, ended_at = CASE WHEN %(over)s THEN ended_at ELSE now() END,
        held_until = NULL,
        held_reason = NULL, updated_at = now()
    WHERE id = %(task_id)s RETURNING id, tenant_id, state
)
INSERT INTO task_events (task_id, tenant_id, kind, detail) SELECT id, tenant_id, %(kind)s, %(totals)s FROM ended
"""

PAGES = "SELECT number FROM task_pages WHERE task_id = %(task_id)s ORDER BY number"

FAILURES = frozenset({DeliveryState.REJECTED, DeliveryState.FAILED, DeliveryState.EXPIRED})


async def fail(connection: Connection, task_id: UUID, reason: str) -> None:
    """End a task that could not begin."""
    if (await connection.execute(FAIL, {"task_id": task_id, "reason": reason})).rowcount:
        await tell_task(connection, task_id, EventType.TASK_FAILED)


async def audit(connection: Connection, task_id: UUID) -> bool:
    """End a task when everybody is accounted for, with its totals; False when pages and rows contradict each other.

    All pages are done with, the counts of the pages sum to the audience, and one count of the rows says the same. A
    task that is over stays what it is; its totals are written anew.
    """
    asked = {"task_id": task_id}
    task = await (await connection.execute(LOCK, asked)).fetchone()
    if task is None:
        return True
    [pages] = await (await connection.execute(OPEN, asked)).fetchall()
    if pages["open"]:
        return True
    by_rows = {row["state"]: row["count"] async for row in await connection.execute(BY_ROWS, asked)}
    by_pages = await counted(connection, task_id)
    everybody = sum(by_rows.values())
    audience = everybody if task["audience"] is None else task["audience"]
    if by_rows != by_pages or everybody != audience or by_rows.keys() - FINAL_DELIVERY_STATES:
        return False
    over = task["state"] in FINAL_TASK_STATES and task["ended_at"] is not None
    state = str(task["state"]) if over else _state(task, by_rows)
    ending = {"state": state, "kind": "recounted" if over else state, "over": over, "audience": audience}
    await connection.execute(END, asked | ending | {"totals": Jsonb(by_rows)})
    if not over:
        event = EventType.TASK_CANCELLED if state == TaskState.CANCELLED else EventType.TASK_COMPLETED
        await tell_task(connection, task_id, event, {"counts": by_rows})
    return True


async def recount(database: Database, tenant_id: UUID, task_id: UUID) -> None:
    """Count every page anew, each in a transaction of its own."""
    async with database.tenant_transaction(tenant_id) as connection:
        pages = await (await connection.execute(PAGES, {"task_id": task_id})).fetchall()
    for page in pages:
        async with database.tenant_transaction(tenant_id) as connection:
            if one := await order(connection, task_id, page["number"]):
                await settle_page(connection, one, timedelta(0))


def _state(task: Mapping[str, object], totals: Mapping[str, int]) -> str:
    if task["cancel_requested"]:
        return TaskState.CANCELLED
    return TaskState.COMPLETED_WITH_FAILURES if FAILURES & totals.keys() else TaskState.COMPLETED
