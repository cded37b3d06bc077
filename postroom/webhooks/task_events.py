"""What endpoints are told of bulk sends, written in the transaction in which it happens."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.database.engine import Connection
from postroom.identity import CAMPAIGN, TASK, public_id
from postroom.webhooks.models import EventType
from postroom.webhooks.outgoing import ANNOUNCE

TASK_ROW = "SELECT campaign_id, name, state, reason, audience FROM campaign_tasks WHERE id = %(task_id)s"


async def tell_task(
    connection: Connection, task_id: UUID, event: EventType, detail: Mapping[str, Any] | None = None
) -> int:
    """Tell the subscribed endpoints what became of a task, as its row stands now; returns how many are told.

    For whoever changes its state, in the same transaction of its tenant and behind the change. `detail` is numbers and
    words of ours (`counts` by state for one that is over), never anything of a person's.
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
    [told] = await (await connection.execute(ANNOUNCE, {"type": event, "data": Jsonb(data)})).fetchall()
    return int(told["told"])
