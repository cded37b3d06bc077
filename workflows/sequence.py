"""Takes one person through a sequence: sleeps until the next step is due, or until something changed."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.sequences import SequenceActivities
    from postroom.contracts.recurring import Enrolment, Moment, NextStep
    from workflows.policies import LOOK_PATIENCE, LOOK_RETRY


@workflow.defn
class SequenceWorkflow:
    """Decides from the rows alone; what it may say and to whom is not known here."""

    @workflow.init
    def __init__(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment
        self._look_owed = False

    @workflow.signal(description="Look at the rows again: something changed.")
    def look(self) -> None:
        """Wake up; what changed is in Postgres."""
        self._look_owed = True

    @workflow.run
    async def run(self, enrolment: Enrolment) -> dict[str, int]:
        """Return the steps by state once none is left."""
        step = await self._advance()
        while not step.closed:
            await self._sleep(enrolment, step)
            step = await self._advance()
        return step.counts

    async def _advance(self) -> NextStep:
        self._look_owed = False
        return await workflow.execute_local_activity_method(
            SequenceActivities.advance,
            Moment(self._enrolment.tenant_id, self._enrolment.enrolment_id, workflow.now()),
            start_to_close_timeout=LOOK_PATIENCE,
            retry_policy=LOOK_RETRY,
            summary="send what is due",
        )

    async def _sleep(self, enrolment: Enrolment, step: NextStep) -> None:
        workflow.set_current_details(step.story)
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(enrolment)
        try:
            await workflow.wait_condition(lambda: self._look_owed, timeout=step.wait, timeout_summary=step.story)
        except TimeoutError:
            return
