"""Carries one bulk send from launched to accounted for: freezes its audience, and passes over its pages."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from activities.campaigns import CampaignActivities
    from postroom.contracts.campaigns import LookAtTask, PagePass, TaskErrand, TaskPlan
    from postroom.contracts.vocabulary import SearchAttribute
    from workflows.policies import FREEZE_PATIENCE, LOOK_PATIENCE, LOOK_RETRY, PASS_RETRY
    from workflows.queues import CAMPAIGN

STATUS = SearchAttributeKey.for_keyword(SearchAttribute.STATUS)
IN_TURN = 2  # pages in one pass while many are due: a pass costs six events, and a million recipients have 1,000 pages


@workflow.defn
class CampaignWorkflow:
    """Decides from the rows alone: looks, keeps a window of passes under way, sleeps until the next thing."""

    @workflow.init
    def __init__(self, errand: TaskErrand) -> None:
        self._errand = errand
        self._at = LookAtTask(errand.tenant_id, errand.task_id, errand.window)
        self._look_owed = False
        self._said = ""
        self._under_way: dict[tuple[int, ...], asyncio.Task[None]] = {}  # by the pages of each pass, as they were begun

    @workflow.signal(description="Look at the rows again: something changed.")
    def look(self) -> None:
        """Wake up; what changed is in Postgres."""
        self._look_owed = True

    @workflow.run
    async def run(self, errand: TaskErrand) -> dict[str, int]:
        """Return the recipients by state once all are accounted for."""
        plan = await self._look()
        while not plan.closed or self._under_way or self._look_owed:
            await self._act(plan)
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(lambda: not self._under_way)
                workflow.continue_as_new(errand)
            plan = await self._look()
        return plan.counts

    async def _act(self, plan: TaskPlan) -> None:
        """Do what a look found; comes back when it is time for another one."""
        if plan.freeze:
            await self._freeze()
        elif plan.audit and not self._under_way:
            await self._audit()
        else:
            await self._send(plan)
            await self._rest(plan)

    async def _send(self, plan: TaskPlan) -> None:
        """Begin passes over what is due, never more at once than the window, until a signal asks for a new look."""
        known = {page for pages in self._under_way for page in pages}
        due = [page for page in plan.due if page not in known]
        while due and not self._look_owed:
            if len(self._under_way) < self._errand.window:
                count = IN_TURN if len(due) > self._errand.window else 1
                self._begin(tuple(due[:count]))
                del due[:count]
            else:
                await self._until(lambda: self._look_owed or len(self._under_way) < self._errand.window)

    def _begin(self, pages: tuple[int, ...]) -> None:
        self._under_way[pages] = asyncio.create_task(self._pass(pages))

    async def _pass(self, pages: tuple[int, ...]) -> None:
        first, *also = pages
        try:
            await workflow.execute_activity_method(
                CampaignActivities.send_page,
                PagePass(self._errand.tenant_id, self._errand.task_id, first, tuple(also)),
                task_queue=CAMPAIGN,
                start_to_close_timeout=self._errand.patience,
                heartbeat_timeout=self._errand.heartbeat,
                retry_policy=PASS_RETRY,
                summary=f"send page {first}" if not also else f"send pages {first} to {pages[-1]}",
            )
        finally:
            del self._under_way[pages]

    async def _rest(self, plan: TaskPlan) -> None:
        """Wait for the next time, for a pass to end, or for a signal, and say so in the UI."""
        if self._look_owed:
            return
        passes = len(self._under_way)
        await self._until(lambda: self._look_owed or len(self._under_way) < passes, plan.wait, plan.story)

    async def _until(self, holds: Callable[[], bool], wait: timedelta | None = None, story: str = "") -> None:
        try:
            await workflow.wait_condition(holds, timeout=wait, timeout_summary=story or None)
        except TimeoutError:
            return

    async def _look(self) -> TaskPlan:
        self._look_owed = False
        plan = await workflow.execute_local_activity_method(
            CampaignActivities.look_at_task,
            self._at,
            start_to_close_timeout=LOOK_PATIENCE,
            retry_policy=LOOK_RETRY,
            summary="look at the rows",
        )
        self._tell(plan)
        return plan

    async def _freeze(self) -> None:
        await workflow.execute_activity_method(
            CampaignActivities.freeze_audience,
            self._at,
            task_queue=CAMPAIGN,
            start_to_close_timeout=FREEZE_PATIENCE,
            heartbeat_timeout=self._errand.heartbeat,
            retry_policy=PASS_RETRY,
            summary="freeze the audience",
        )

    async def _audit(self) -> None:
        await workflow.execute_activity_method(
            CampaignActivities.audit_task,
            self._at,
            task_queue=CAMPAIGN,
            start_to_close_timeout=self._errand.patience,
            heartbeat_timeout=self._errand.heartbeat,
            retry_policy=PASS_RETRY,
            summary="is everybody accounted for?",
        )

    def _tell(self, plan: TaskPlan) -> None:
        """Show the counts of the last look, and make the task findable by its state."""
        rows = "\n".join(f"| {state} | {count} |" for state, count in sorted(plan.counts.items()))
        workflow.set_current_details(
            f"### {plan.story or plan.status}\n\n| state | recipients |\n| --- | --- |\n{rows}"
        )
        if plan.status != self._said:
            self._said = plan.status
            workflow.upsert_search_attributes([STATUS.value_set(plan.status)])
