"""The sandbox in which workflows run names an import that nobody passed through, instead of letting it slip in."""

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from tests.replay.straying import StrayingWorkflow
from workflows.notification import NotificationWorkflow
from workflows.runner import workflow_runner


async def test_an_import_that_was_not_passed_through_is_refused(engine: Client) -> None:
    with pytest.raises(RuntimeError, match="StrayingWorkflow") as refused:
        Worker(engine, task_queue="stray", workflows=[StrayingWorkflow], workflow_runner=workflow_runner())
    assert "postroom.timing" in str(refused.value.__cause__)


async def test_the_carrier_is_let_in(engine: Client) -> None:
    worker = Worker(engine, task_queue="carry", workflows=[NotificationWorkflow], workflow_runner=workflow_runner())
    assert worker.task_queue == "carry"
