"""A workflow that forgot to pass an import through: the sample the sandbox must refuse."""

from temporalio import workflow

from postroom.timing import Timing


@workflow.defn
class StrayingWorkflow:
    """Reads the product's own code inside the sandbox."""

    @workflow.run
    async def run(self) -> float:
        """Return what it should not have been able to see."""
        return Timing().retry_first.total_seconds()
