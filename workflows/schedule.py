"""Carries one firing of a schedule: whatever it takes to have its audience written."""

from dataclasses import replace

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from activities.schedules import ScheduleActivities
    from postroom.contracts.recurring import Firing, RunStanding
    from workflows.policies import PAGING_HEARTBEAT, PAGING_PATIENCE, PAGING_RETRY

# The engine's own: the time that was meant, without jitter and however late it is.
MEANT = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")


@workflow.defn
class ScheduleWorkflow:
    """Runs one activity; everything it knows between two attempts is in the rows."""

    @workflow.run
    async def run(self, firing: Firing) -> RunStanding:
        """Return how the run ended."""
        info = workflow.info()
        meant = info.typed_search_attributes.get(MEANT, info.start_time)
        return await workflow.execute_activity_method(
            ScheduleActivities.run_schedule,
            firing if firing.run_id else replace(firing, fire_at=meant),
            start_to_close_timeout=PAGING_PATIENCE,
            heartbeat_timeout=PAGING_HEARTBEAT,
            retry_policy=PAGING_RETRY,
            summary="write the audience, page by page",
        )
