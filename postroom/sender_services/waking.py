"""Wakes, by rows, the tasks that wait for services: those they may use were all frozen, or another one has room."""

from postroom.database.engine import Connection
from postroom.sender_services.models import ALL_FROZEN

# A task names its services by their public ids; without a list it may use whatever serves the key that made it, and the
# tenant's providers once there is no service any more. One that is due for a probe counts: a paused task has no message
# that could try it. One that takes no mail from the task's domain does not: it would be paused again at once.
NONE_NAMED = "jsonb_array_length(coalesce(t.sender -> 'services', '[]')) = 0"
NONE_LEFT = f"({NONE_NAMED} AND NOT EXISTS (SELECT FROM sender_services s WHERE s.tenant_id = t.tenant_id))"
FROM = r"lower(substring(t.sender ->> 'from' FROM '@([^@>[:space:]]+)>?[[:space:]]*$'))"
RESUME = f"""
WITH waiting AS (
    SELECT t.id FROM campaign_tasks t
    WHERE t.state = 'paused' AND t.reason = '{ALL_FROZEN}' AND NOT t.cancel_requested AND ({NONE_LEFT} OR EXISTS (
        SELECT FROM sender_services s
        WHERE s.tenant_id = t.tenant_id
            AND (cardinality(s.from_domains) = 0 OR coalesce({FROM} = ANY(s.from_domains), true))
            AND (s.status = 'active' OR (s.frozen_by = 'health' AND greatest(s.probe_at, s.probe_until) <= now()))
            AND ({NONE_NAMED} OR t.sender -> 'services' ? ('svc_' || replace(s.id::text, '-', '')))
            AND (NOT EXISTS (SELECT FROM sender_service_bindings b WHERE b.service_id = s.id)
                 OR EXISTS (SELECT FROM sender_service_bindings b
                            WHERE b.service_id = s.id AND b.api_key_id = t.created_by))))
    ORDER BY t.id FOR NO KEY UPDATE
), resumed AS (
    UPDATE campaign_tasks t
    SET state = 'sending', reason = NULL, held_until = NULL, held_reason = NULL, owed = true, next_poke_at = now(),
        updated_at = now()
    FROM waiting w WHERE t.id = w.id
    RETURNING t.id, t.tenant_id
)
INSERT INTO task_events (task_id, tenant_id, kind, reason)
SELECT id, tenant_id, 'resumed', 'services_thawed' FROM resumed
"""

# Who looked before a change believes for a moment what was: whoever comes back at once would be held again for as long.
BELIEVED = "interval '2 s'"
JUST_CHANGED = f"""
EXISTS (SELECT FROM sender_services s
        WHERE s.tenant_id = campaign_tasks.tenant_id AND s.updated_at > now() - {BELIEVED})
"""
HURRY = f"""
UPDATE campaign_tasks SET held_until = now() + {BELIEVED}, owed = true, next_poke_at = now()
WHERE id IN (SELECT id FROM campaign_tasks WHERE state = 'sending' AND held_until > now() + {BELIEVED}
             ORDER BY id FOR NO KEY UPDATE)
"""


async def resume_tasks(connection: Connection) -> int:
    """Resume what may go on: of the transaction's tenant, or of all for the sweeper; returns how many."""
    return (await connection.execute(RESUME)).rowcount
