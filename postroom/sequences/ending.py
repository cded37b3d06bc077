"""Ends what is left of somebody's way through sequences: by request, by an event, or because the person is erased."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection

# In the order of their ids: two that end the same person's enrolments wait for each other in one direction only.
CHOSEN = """
SELECT e.id FROM enrolments e JOIN sequence_versions v ON v.sequence_id = e.sequence_id AND v.version = e.version
WHERE e.tenant_id = %(tenant_id)s AND e.user_id = %(user_id)s AND e.state = 'active'
  AND (%(event)s::text IS NULL OR %(event)s = ANY(v.stop_on))
ORDER BY e.id FOR NO KEY UPDATE OF e
"""
ONE = "SELECT id FROM enrolments WHERE id = %(id)s AND state = 'active' FOR NO KEY UPDATE"

# Its workflow is told to look, and ends; one that was never started is not started for it. What it could have said is
# needed no more.
STOP = """
UPDATE enrolments SET state = 'stopped', reason = %(reason)s, ended_at = now(), variables = '{}', pokes = 0,
    next_poke_at = CASE WHEN pokes > 0 OR next_poke_at > now() THEN now() END
WHERE id = ANY(%(ids)s)
"""
STEPS = """
UPDATE enrolment_steps SET state = 'cancelled', reason = %(reason)s, done_at = now()
WHERE enrolment_id = ANY(%(ids)s) AND state = 'waiting'
"""


async def end_enrolments(
    connection: Connection, person: Mapping[str, Any], reason: str, event: str | None = None
) -> int:
    """End a person's enrolments, all or those that `event` stops; returns how many.

    `person` has `tenant_id` and `user_id`, so that a role which sees all tenants may ask too.
    A step is sent in the transaction of its enrolment's lock: before this, or never.
    """
    found = await connection.execute(CHOSEN, {**person, "event": event})
    return await _stop(connection, [row["id"] async for row in found], reason)


async def end_enrolment(connection: Connection, enrolment_id: UUID, reason: str) -> bool:
    """End one; False when it had ended."""
    found = await connection.execute(ONE, {"id": enrolment_id})
    return await _stop(connection, [row["id"] async for row in found], reason) > 0


async def _stop(connection: Connection, ids: list[UUID], reason: str) -> int:
    if ids:
        for statement in (STOP, STEPS):
            await connection.execute(statement, {"ids": ids, "reason": reason})
    return len(ids)
