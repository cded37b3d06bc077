"""What the sweeper does for tasks: lost hand-offs and late evidence, after which their pages are counted anew."""

from uuid import UUID

from postroom.campaigns.pages import owe_tasks, touch_pages
from postroom.database.engine import Connection

# A row somebody holds is being looked after.
LAPSED = """
WITH lapsed AS MATERIALIZED (
    SELECT id FROM deliveries
    WHERE state = 'handing_off' AND lease_until < now() AND task_id IS NOT NULL
    ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), lost AS (
    UPDATE deliveries d SET state = 'unknown', reason = 'no_answer', not_before = now()
    FROM lapsed l WHERE d.id = l.id
    RETURNING d.id, d.tenant_id, d.task_id, d.seq, d.attempt, d.provider
), noted AS (
    INSERT INTO delivery_attempts (delivery_id, tenant_id, attempt, event, provider, phase, detail)
    SELECT id, tenant_id, attempt, 'unknown', provider, 'answer', 'the sender vanished after the mark' FROM lost
)
SELECT task_id, seq FROM lost
"""
LATE = """
WITH late AS MATERIALIZED (
    SELECT id FROM deliveries WHERE late AND task_id IS NOT NULL
    ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE deliveries d SET late = false FROM late WHERE d.id = late.id RETURNING d.task_id, d.seq
"""


async def lose_lapsed(connection: Connection, limit: int) -> int:
    """Turn hand-offs of tasks that were never answered into unknown ones; returns how many."""
    return await _passed_again(connection, LAPSED, limit)


async def take_late(connection: Connection, limit: int) -> int:
    """Have acceptances counted that were learned after the end of a recipient; returns how many."""
    return await _passed_again(connection, LATE, limit)


async def _passed_again(connection: Connection, statement: str, limit: int) -> int:
    by_task: dict[UUID, list[int]] = {}
    async for row in await connection.execute(statement, {"limit": limit}):
        by_task.setdefault(row["task_id"], []).append(row["seq"])
    for task_id, seqs in sorted(by_task.items()):
        await touch_pages(connection, task_id, seqs)
    await owe_tasks(connection, by_task)
    return sum(len(seqs) for seqs in by_task.values())
