"""What endpoints are told of bulk sends, written in the transaction in which it happens."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.database.engine import Connection
from postroom.identity import CAMPAIGN, TASK, public_id
from postroom.webhooks.models import EventType
from postroom.webhooks.outgoing import WRITE

TASK_ROW = "SELECT campaign_id, name, state, reason, audience FROM campaign_tasks WHERE id = %(task_id)s"
TELL = f"""
WITH outgoing AS MATERIALIZED (
    SELECT uuidv7() AS id, e.tenant_id, e.id AS endpoint_id, 'event' AS origin, %(type)s::text AS type,
           now() AS occurred_at, NULL::uuid AS message_id, NULL::uuid AS replay_id, e.event_life AS life,
           %(data)s::jsonb AS data
    FROM webhook_endpoints e JOIN campaign_tasks t ON t.tenant_id = e.tenant_id
    WHERE t.id = %(task_id)s AND e.state = 'enabled' AND %(type)s::text = ANY(e.events)
), {WRITE}
SELECT count(*)::integer AS told FROM outgoing
"""


async def tell_task(
    connection: Connection, task_id: UUID, event: EventType, detail: Mapping[str, Any] | None = None
) -> int:
    """Tell the subscribed endpoints what became of a task, as its row stands now; returns how many are told.

    For whoever changes its state, in the same transaction and behind the change. `detail` is numbers and words of ours
    (`counts` by state for one that is over), never anything of a person's.
    """
    row = await (await connection.execute(TASK_ROW, {"task_id": task_id})).fetchone()
    if row is None:
        return 0
    data = {
        "task_id": public_id(TASK, task_id),
        "campaign_id": public_id(CAMPAIGN, row["campaign_id"]),
        "name": row["name"],
        "status": row["state"],
        "reason": row["reason"],
        "audience": row["audience"],
        **(detail or {}),
    }
    asked = {"task_id": task_id, "type": str(event), "data": Jsonb(data)}
    told = await (await connection.execute(TELL, asked)).fetchone()
    return told["told"] if told else 0
