"""The rows of jobs for one person: which is next, how far it came, what it told, and when that is thrown away."""

from datetime import timedelta
from uuid import UUID

from postroom.database.engine import Connection
from postroom.privacy.walking import Progress, Task

# Who takes a job holds its row until the step is written: two workers never walk for the same person at once, and a
# killed one leaves the row as it was.
NEXT = """
SELECT p.job_id, p.tenant_id, p.kind, p.user_id, p.person_hash, p.done, p.chunks, p.walked_to, p.walk, j.total,
       now() AS now
FROM person_jobs p JOIN jobs j ON j.id = p.job_id
WHERE p.state = 'open' AND p.next_at <= now() AND NOT p.job_id = ANY(%(without)s)
ORDER BY p.next_at LIMIT 1
FOR NO KEY UPDATE OF p SKIP LOCKED
"""
ADVANCE = """
UPDATE person_jobs SET walked_to = %(walked_to)s, walk = %(walk)s, done = done + %(done)s, chunks = chunks + %(chunks)s,
    next_at = now() + %(pause)s
WHERE job_id = %(job_id)s
"""
# An erased person is named no more, and an export names them until it is thrown away.
END = """
UPDATE person_jobs SET state = 'done', done = done + %(done)s, chunks = chunks + %(chunks)s, ended_at = now(),
    user_id = CASE WHEN kind = 'export' THEN user_id END,
    expires_at = CASE WHEN kind = 'export' THEN now() + %(life)s END
WHERE job_id = %(job_id)s
"""
NOTE = """
INSERT INTO person_events (tenant_id, job_id, kind, person_hash)
SELECT tenant_id, job_id, kind || '_completed', person_hash FROM person_jobs WHERE job_id = %(job_id)s
"""
EXPIRED = """
SELECT job_id FROM person_jobs WHERE expires_at <= now() ORDER BY job_id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
"""
REMOVE = "DELETE FROM job_results WHERE job_id = ANY(%(ids)s)"
FORGET = """
WITH forgotten AS (
    UPDATE person_jobs SET user_id = NULL, expires_at = NULL WHERE job_id = ANY(%(ids)s)
    RETURNING tenant_id, job_id, person_hash
)
INSERT INTO person_events (tenant_id, job_id, kind, person_hash)
SELECT tenant_id, job_id, 'export_removed', person_hash FROM forgotten
"""

EXPIRED_AT_ONCE = 10


async def take_next(connection: Connection, without: set[UUID]) -> Task | None:
    """Lock the job that has waited longest, unless it is one of `without`; None when nothing is to be done now."""
    row = await (await connection.execute(NEXT, {"without": list(without)})).fetchone()
    return Task.of(row) if row else None


async def write_progress(connection: Connection, task: Task, progress: Progress, waits: dict[str, timedelta]) -> None:
    """Write how far a step came, in its own transaction; `waits` are `pause` and `life`."""
    made = {"job_id": task.job_id, "done": progress.done, "chunks": progress.chunks}
    if progress.ended:
        await connection.execute(END, made | {"life": waits["life"]})
        await connection.execute(NOTE, made)
    else:
        pause = waits["pause"] if progress.waiting else timedelta(0)
        await connection.execute(
            ADVANCE, made | {"walked_to": progress.walked_to, "walk": progress.walk, "pause": pause}
        )


async def remove_expired(connection: Connection) -> int:
    """Throw away what was exported long enough ago; returns of how many jobs."""
    ids = [row["job_id"] async for row in await connection.execute(EXPIRED, {"limit": EXPIRED_AT_ONCE})]
    if ids:
        await connection.execute(REMOVE, {"ids": ids})
        await connection.execute(FORGET, {"ids": ids})
    return len(ids)
