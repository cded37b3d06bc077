"""The workflow that closes digests: one, or a page of those that close at one instant."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from activities.digests import DigestActivities
    from postroom.contracts.digests import Closing, DigestErrand, DigestPlan
    from postroom.contracts.vocabulary import SearchAttribute
    from workflows.policies import LOOK_PATIENCE, LOOK_RETRY, PASS_RETRY

STATUS = SearchAttributeKey.for_keyword(SearchAttribute.STATUS)


@workflow.defn
class DigestWorkflow:
    """Decides from the rows alone: looks, sleeps until the next digest closes, closes what is due."""

    @workflow.init
    def __init__(self, errand: DigestErrand) -> None:
        self._at = Closing(errand.tenant_id, errand.closing_id)
        self._look_owed = False
        self._said = ""

    @workflow.signal(description="Look at the rows again: something changed.")
    def look(self) -> None:
        """Wake up; what changed is in Postgres."""
        self._look_owed = True

    @workflow.run
    async def run(self, errand: DigestErrand) -> dict[str, int]:
        """Return the digests by state once all are closed."""
        plan = await self._look()
        while not plan.closed:
            if plan.due:
                plan = await self._close(errand, plan.due)
            else:
                await self._sleep(errand, plan)
                plan = await self._look()
        self._status(", ".join(sorted(plan.counts)) or "closed")
        return plan.counts

    async def _look(self) -> DigestPlan:
        self._look_owed = False
        return await workflow.execute_local_activity_method(
            DigestActivities.look_at_digests,
            self._at,
            start_to_close_timeout=LOOK_PATIENCE,
            retry_policy=LOOK_RETRY,
            summary="look at the rows",
        )

    async def _close(self, errand: DigestErrand, count: int) -> DigestPlan:
        self._look_owed = False
        return await workflow.execute_activity_method(
            DigestActivities.close_digests,
            self._at,
            start_to_close_timeout=errand.patience,
            heartbeat_timeout=errand.heartbeat,
            retry_policy=PASS_RETRY,
            summary="close the digest" if count == 1 else f"close {count} digests",
        )

    async def _sleep(self, errand: DigestErrand, plan: DigestPlan) -> None:
        """Wait until the next digest closes or for a signal, and say so in the UI."""
        workflow.set_current_details(f"### {plan.story}")
        self._status("waiting")
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(errand)
        try:
            await workflow.wait_condition(lambda: self._look_owed, timeout=plan.wait, timeout_summary=plan.story)
        except TimeoutError:
            return

    def _status(self, status: str) -> None:
        """Make the closing findable: `waiting`, and at the end the states of its digests."""
        if status != self._said:
            self._said = status
            workflow.upsert_search_attributes([STATUS.value_set(status)])
