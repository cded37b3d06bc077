"""The end of a file of contacts: pieces go with the work, what was exported and told when it expires."""

from datetime import timedelta
from uuid import UUID

from postroom.contact_files.models import FileState
from postroom.database.engine import Connection

END = """
UPDATE contact_files SET state = %(state)s, reason = %(reason)s, ended_at = now(), next_poke_at = NULL, reached = '',
    terms = '{}', expires_at = now() + %(life)s
WHERE job_id = %(job_id)s AND state = 'open'
"""
PEOPLE = "DELETE FROM contact_file_people WHERE job_id = ANY(%(ids)s)"
PIECES = "DELETE FROM contact_file_pieces WHERE job_id = ANY(%(ids)s)"
ERRORS = "DELETE FROM contact_file_errors WHERE job_id = ANY(%(ids)s)"

# An erasure takes away what was exported of everybody: it cannot be taken out of what is sealed.
OVERTAKE = """
UPDATE contact_files SET state = 'cancelled', reason = 'person_erased', next_poke_at = NULL, reached = '',
    terms = '{}', ended_at = coalesce(ended_at, now())
WHERE tenant_id = %(tenant_id)s AND kind = 'contacts_export' AND (state = 'open' OR (state = 'done' AND pieces > 0))
RETURNING job_id
"""

CANCELLED = """
UPDATE contact_files SET pieces = 0 WHERE job_id IN (
    SELECT job_id FROM contact_files WHERE state = 'cancelled' AND pieces > 0 LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED)
RETURNING job_id
"""
EXPIRED = """
UPDATE contact_files SET expires_at = NULL, pieces = 0 WHERE job_id IN (
    SELECT job_id FROM contact_files WHERE state <> 'receiving' AND expires_at <= now() LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED)
RETURNING job_id
"""
ABANDONED = "DELETE FROM contact_files WHERE state = 'receiving' AND expires_at <= now()"
AT_ONCE = 10


async def end_file(connection: Connection, job_id: UUID, end: tuple[FileState, str | None], life: timedelta) -> bool:
    """End the work on a file, with a state and a reason; False when it had ended. What is left is kept for `life`."""
    state, reason = end
    ended = await connection.execute(END, {"job_id": job_id, "state": state, "reason": reason, "life": life})
    if ended.rowcount and state is FileState.DONE:
        await connection.execute(PEOPLE, {"ids": [job_id]})
    return ended.rowcount == 1


async def overtake_exports(connection: Connection, tenant_id: UUID) -> None:
    """End what is exported of a tenant's contacts, and take away what was: somebody in it is erased."""
    ids = [row["job_id"] async for row in await connection.execute(OVERTAKE, {"tenant_id": tenant_id})]
    await connection.execute(PIECES, {"ids": ids})


async def remove_leftovers(connection: Connection) -> None:
    """Take away what a cancelled file leaves, what expired, and what was never received to its end."""
    limit = {"limit": AT_ONCE}
    cancelled = [row["job_id"] async for row in await connection.execute(CANCELLED, limit)]
    expired = [row["job_id"] async for row in await connection.execute(EXPIRED, limit)]
    for statement in (PIECES, PEOPLE):
        await connection.execute(statement, {"ids": cancelled + expired})
    await connection.execute(ERRORS, {"ids": expired})
    await connection.execute(ABANDONED)
