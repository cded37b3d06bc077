"""Carries one notification, or a page of them, from due to accounted for."""

import asyncio

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from activities.carriers import CarrierActivities
    from activities.passes import PassActivities
    from postroom.contracts.carriers import Due, Errand, LookAt, Plan, SendPass
    from postroom.contracts.vocabulary import SearchAttribute
    from workflows.policies import LOOK_PATIENCE, LOOK_RETRY, PASS_RETRY
    from workflows.queues import send_queue

STATUS = SearchAttributeKey.for_keyword(SearchAttribute.STATUS)


@workflow.defn
class NotificationWorkflow:
    """Decides from the rows alone: looks, runs a send pass per channel for what is due, sleeps until the next thing."""

    @workflow.init
    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._look_owed = False
        self._said = ""

    @workflow.signal(description="Look at the rows again: something changed.")
    def look(self) -> None:
        """Wake up; what changed is in Postgres."""
        self._look_owed = True

    @workflow.run
    async def run(self, errand: Errand) -> dict[str, int]:
        """Return the members by state once none is open."""
        plan = await self._pass(Due(errand.first, 0)) if errand.first else await self._look()
        while not plan.closed:
            if plan.due:
                plan = await self._send(plan)
            else:
                await self._sleep(plan)
                plan = await self._look()
        self._status(", ".join(sorted(plan.counts)) or "closed")
        return plan.counts

    async def _send(self, plan: Plan) -> Plan:
        """Run what is due; several channels side by side, and then one look over all of them."""
        if len(plan.due) == 1:
            return await self._pass(plan.due[0])
        await asyncio.gather(*(self._pass(due) for due in plan.due))
        return await self._look()

    async def _pass(self, due: Due) -> Plan:
        errand = self._errand
        self._look_owed = False
        return await workflow.execute_activity_method(
            PassActivities.send_pass,
            SendPass(errand.tenant_id, errand.carrier_id, errand.priority, due.channel),
            task_queue=send_queue(due.channel, errand.priority),
            start_to_close_timeout=errand.patience,
            heartbeat_timeout=errand.heartbeat,
            retry_policy=PASS_RETRY,
            summary=f"send {due.count or 'what is due'} over {due.channel}",
        )

    async def _look(self) -> Plan:
        self._look_owed = False
        return await workflow.execute_local_activity_method(
            CarrierActivities.look,
            LookAt(self._errand.tenant_id, self._errand.carrier_id),
            start_to_close_timeout=LOOK_PATIENCE,
            retry_policy=LOOK_RETRY,
            summary="look at the rows",
        )

    async def _sleep(self, plan: Plan) -> None:
        """Wait for the next due time or for a signal, and say so in the UI."""
        self._tell(plan)
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(self._errand.later())
        try:
            await workflow.wait_condition(
                lambda: self._look_owed, timeout=plan.wait, timeout_summary=plan.story or "waiting"
            )
        except TimeoutError:
            return

    def _tell(self, plan: Plan) -> None:
        rows = "\n".join(f"| {state} | {count} |" for state, count in sorted(plan.counts.items()))
        workflow.set_current_details(f"### {plan.story or 'waiting'}\n\n| state | members |\n| --- | --- |\n{rows}")
        self._status("waiting")

    def _status(self, status: str) -> None:
        """Make the carrier findable: `waiting`, and at the end the states of its members."""
        if status != self._said:
            self._said = status
            workflow.upsert_search_attributes([STATUS.value_set(status)])
