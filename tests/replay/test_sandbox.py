"""The sandbox in which workflows run names an import that nobody passed through, instead of letting it slip in."""

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from tests.replay.fingerprint import WORKFLOWS
from tests.replay.straying import StrayingWorkflow
from workflows.runner import workflow_runner


async def test_an_import_that_was_not_passed_through_is_refused(engine: Client) -> None:
    with pytest.raises(RuntimeError, match="StrayingWorkflow") as refused:
        Worker(engine, task_queue="stray", workflows=[StrayingWorkflow], workflow_runner=workflow_runner())
    assert "postroom.timing" in str(refused.value.__cause__)


@pytest.mark.parametrize("workflow", WORKFLOWS)
async def test_the_houses_own_are_let_in(engine: Client, workflow: type) -> None:
    queue = f"carry-{workflow.__name__}"
    worker = Worker(engine, task_queue=queue, workflows=[workflow], workflow_runner=workflow_runner())
    assert worker.task_queue == queue
