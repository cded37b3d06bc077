"""When a task will be over: at the pace it has, and never before its last recipient's own time."""

from datetime import datetime, timedelta
from uuid import UUID

from postroom.database.engine import Connection

LONGEST = timedelta(days=365)

# Pages lie in the order of their recipients' times, and whoever was put off later makes their page wait. A page knows
# its next time alone, so of these two the rows are asked.
LATEST = """
WITH open AS MATERIALIZED (
    SELECT first_seq, last_seq, next_at, number FROM task_pages WHERE task_id = %(task_id)s AND next_at IS NOT NULL
)
SELECT max(least(d.not_before, d.expires_at)) AS latest
FROM ((SELECT * FROM open ORDER BY number DESC LIMIT 1) UNION (SELECT * FROM open ORDER BY next_at DESC LIMIT 1)) p
JOIN deliveries d ON d.task_id = %(task_id)s AND d.seq BETWEEN p.first_seq AND p.last_seq
    AND d.state IN ('pending', 'deferred')
"""


async def latest_wait(connection: Connection, task_id: UUID) -> datetime | None:
    """Return when the last one who waits may leave; None when nobody waits."""
    [row] = await (await connection.execute(LATEST, {"task_id": task_id})).fetchall()
    latest: datetime | None = row["latest"]
    return latest


def end_of(now: datetime, remaining: int, per_minute: float | None, latest: datetime | None) -> datetime | None:
    """Return when all will be accounted for; None when all are, or when nothing shows how fast it goes."""
    if not remaining or not per_minute:
        return None
    at_this_pace = now + min(timedelta(minutes=remaining / per_minute), LONGEST)
    return max(at_this_pace, latest) if latest else at_this_pace
