"""The smallest workflow that does something: one activity that does nothing."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from temporalio import activity, workflow

PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Ids:
    """A payload of ids, like the one Postroom's workflow has."""

    tenant_id: UUID
    notification_id: UUID


@activity.defn
async def nothing(_ids: Ids) -> dict[str, int]:
    """Return a count, like a pass does."""
    return {"sent": 1}


@workflow.defn
class OneActivity:
    """Runs the activity."""

    @workflow.run
    async def run(self, ids: Ids) -> dict[str, int]:
        """Return what the activity said."""
        return await workflow.execute_activity(nothing, ids, start_to_close_timeout=PATIENCE)
