"""What waits must wait where priority counts (decision 0013)."""

from temporalio.client import Client

from postroom.database.engine import Database
from postroom.timing import Timing
from tests.fixtures.engine import running
from workflows.queues import WORKFLOWS


async def test_workflow_tasks_wait_in_the_engine(engine: Client, database: Database) -> None:
    async with running(engine, database, Timing()) as house:
        taken = {worker.task_queue: worker.config(active_config=True) for worker in house.workers}
    assert taken[WORKFLOWS].get("max_concurrent_workflow_tasks") == 8
