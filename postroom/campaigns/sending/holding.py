"""Waits of a whole task: a provider nobody can reach, a quota that is used up, all services frozen."""

from datetime import timedelta
from uuid import UUID

from postroom.channels.base import Answer
from postroom.database.engine import Connection
from postroom.sender_services.models import ALL_FROZEN
from postroom.sender_services.waking import BELIEVED, JUST_CHANGED

# One statement for the task, whatever its size: no page is due before the hold is over. It is told once. What is found
# while a service was just changed may be what was before.
HOLD = f"""
WITH held AS (
    UPDATE campaign_tasks SET held_reason = %(reason)s,
        held_until = greatest(held_until, now() + CASE WHEN {JUST_CHANGED}
            THEN least(%(wait)s::interval, {BELIEVED}) ELSE %(wait)s END),
        state = CASE WHEN %(reason)s = %(frozen)s THEN 'paused' ELSE state END,
        reason = CASE WHEN %(reason)s = %(frozen)s THEN %(reason)s ELSE reason END, updated_at = now()
    WHERE id = %(task_id)s AND state = 'sending'
    RETURNING id, tenant_id, state, held_until,
              old.held_reason IS DISTINCT FROM new.held_reason OR old.held_until < now() AS news
)
INSERT INTO task_events (task_id, tenant_id, kind, reason, detail)
SELECT id, tenant_id, CASE state WHEN 'paused' THEN 'paused' ELSE 'held' END, %(reason)s,
       jsonb_strip_nulls(jsonb_build_object('until', held_until, 'provider', %(provider)s::text))
FROM held WHERE news
"""

# What the house paused by itself goes on by itself.
THAW = """
WITH thawed AS (
    UPDATE campaign_tasks SET state = 'sending', reason = NULL, held_until = NULL, held_reason = NULL,
        updated_at = now()
    WHERE id = %(task_id)s AND state = 'paused' AND reason = %(frozen)s AND held_until <= now()
        AND NOT cancel_requested
    RETURNING id, tenant_id
)
INSERT INTO task_events (task_id, tenant_id, kind, reason)
SELECT id, tenant_id, 'resumed', 'services_thawed' FROM thawed
"""


async def hold(connection: Connection, task_id: UUID, outage: Answer) -> None:
    """Let a task wait for as long as the provider, or our limit, asks; when all services are frozen it is paused."""
    await connection.execute(
        HOLD,
        {
            "task_id": task_id,
            "wait": outage.retry_after or timedelta(seconds=1),
            "reason": outage.reason,
            "frozen": ALL_FROZEN,
            "provider": outage.provider,
        },
    )


async def thaw(connection: Connection, task_id: UUID) -> None:
    """Let a task go on that was paused because all services were frozen, once that time is over."""
    await connection.execute(THAW, {"task_id": task_id, "frozen": ALL_FROZEN})
