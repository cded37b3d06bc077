"""What the sweeper does for tasks: lost hand-offs and late evidence, for which their pages are looked at anew."""

from uuid import UUID

from postroom.campaigns.pages import owe_tasks, touch_pages
from postroom.database.engine import Connection

LAPSED = """
SELECT task_id, seq FROM deliveries
WHERE state = 'handing_off' AND lease_until < now() AND task_id IS NOT NULL LIMIT %(limit)s
"""
LATE = """
WITH late AS MATERIALIZED (
    SELECT id FROM deliveries WHERE late AND task_id IS NOT NULL
    ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE deliveries d SET late = false FROM late WHERE d.id = late.id RETURNING d.task_id, d.seq
"""


async def find_lapsed(connection: Connection, limit: int) -> int:
    """Have hand-offs of tasks looked at that were never answered: a pass asks about them; returns how many."""
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
