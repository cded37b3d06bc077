"""Pages of a frozen audience: which are to be looked at again, and the counts that are always exact."""

from collections.abc import Collection
from uuid import UUID

from postroom.database.engine import Connection

# Pages are locked behind deliveries and by number: two that touch several never wait for each other in a ring.
TOUCH = """
WITH touched AS MATERIALIZED (
    SELECT p.number FROM task_pages p
    WHERE p.task_id = %(task_id)s AND EXISTS (
        SELECT FROM unnest(%(seqs)s::int[]) AS seq WHERE seq BETWEEN p.first_seq AND p.last_seq)
    ORDER BY p.number FOR NO KEY UPDATE
)
UPDATE task_pages p SET counted = false, next_at = now(), asks_at = now()
FROM touched t WHERE p.task_id = %(task_id)s AND p.number = t.number
"""

# What a page counted holds; of the others the rows are counted.
COUNTS = """
SELECT state, sum(count)::int AS count FROM (
    SELECT c.key AS state, sum(c.value::int) AS count
    FROM task_pages p, jsonb_each_text(p.counts) c WHERE p.task_id = %(task_id)s AND p.counted GROUP BY c.key
    UNION ALL
    SELECT d.state, count(*)
    FROM task_pages p JOIN deliveries d ON d.task_id = p.task_id AND d.seq BETWEEN p.first_seq AND p.last_seq
    WHERE p.task_id = %(task_id)s AND NOT p.counted GROUP BY d.state
) counted GROUP BY state ORDER BY state
"""

# As the last passes left them.
COUNTED = """
SELECT c.key AS state, sum(c.value::int)::int AS count FROM task_pages p, jsonb_each_text(p.counts) c
WHERE p.task_id = %(task_id)s GROUP BY c.key ORDER BY c.key
"""

OWE = "UPDATE campaign_tasks SET owed = true, pokes = 0, next_poke_at = now() WHERE id = ANY(%(ids)s)"


async def touch_pages(connection: Connection, task_id: UUID, seqs: Collection[int]) -> int:
    """Have the pages of these recipients looked at and counted anew; returns how many pages these are.

    For whoever changed deliveries of a task outside a pass, in the same transaction and after the deliveries were
    locked (one lock order: deliveries by id, then pages by number, then the task). Owe the task a look as well.
    """
    return (await connection.execute(TOUCH, {"task_id": task_id, "seqs": sorted(set(seqs))})).rowcount


async def owe_tasks(connection: Connection, task_ids: Collection[UUID]) -> None:
    """Have the workflows of these tasks look at the rows; the last lock of a transaction."""
    if task_ids:
        await connection.execute(OWE, {"ids": sorted(task_ids)})


async def counts(connection: Connection, task_id: UUID) -> dict[str, int]:
    """The recipients of a task by state, exact at this moment; nothing before its audience is frozen."""
    rows = await connection.execute(COUNTS, {"task_id": task_id})
    return {row["state"]: row["count"] async for row in rows}


async def counted(connection: Connection, task_id: UUID) -> dict[str, int]:
    """The recipients of a task by state, as its pages were counted last; exact once nothing moves any more."""
    return {row["state"]: row["count"] async for row in await connection.execute(COUNTED, {"task_id": task_id})}
