"""The shapes the workflow of a task can take, each played once on a real server so that its history can be kept."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from temporalio.client import Client, WorkflowHandle

from postroom.campaigns.pages import owe_tasks
from postroom.channels.base import Verdict
from postroom.database.engine import Database
from postroom.timing import Timing
from tests.fixtures.engine import PAGE, Running, working
from tests.fixtures.rows import rows
from tests.fixtures.sink import Sink
from tests.fixtures.tasks import Sale, launched, open_mailroom, people, task_row
from tests.fixtures.waiting import until
from tests.replay.shapes import Runs, ScriptedChannel

TIMING = replace(Timing(), retry_first=timedelta(seconds=2))
PATIENCE = 60.0
MANY = 6 * PAGE  # more pages than the window, so that some share a pass
SLUG = "SELECT slug FROM tenants WHERE id = %s"


@dataclass(frozen=True, slots=True)
class TaskStage:
    """One task under way."""

    database: Database
    tenant_id: UUID
    task: UUID
    house: Running

    async def handle(self) -> WorkflowHandle[object, object]:
        """The run that is open, named by its run id."""
        [tenant] = await rows(self.database, SLUG, self.tenant_id)
        latest = self.house.client.get_workflow_handle(f"campaign/{tenant['slug']}/task_{self.task.hex}")
        return self.house.client.get_workflow_handle(latest.id, run_id=(await latest.describe()).run_id)

    async def set(self, what: str) -> None:
        """Change the task with the owed look in one transaction, and poke."""
        async with self.database.tenant_transaction(self.tenant_id) as connection:
            await connection.execute(f"UPDATE campaign_tasks SET {what} WHERE id = %s", (self.task,))
            await owe_tasks(connection, [self.task])
        await self.house.tasks.round()

    async def paid(self) -> None:
        """Wait until the workflow has looked."""

        async def looked() -> bool:
            return not (await task_row(self.database, self.task))["owed"]

        await until(looked, PATIENCE)


@asynccontextmanager
async def staged(engine: Client, database: Database, sale: Sale, *verdicts: Verdict) -> AsyncIterator[TaskStage]:
    """Launch a task, start the workers and poke it."""
    task = await launched(database, sale)
    async with (
        Sink.open() as sink,
        open_mailroom(database, sink, TIMING, ScriptedChannel(*verdicts)) as mailroom,
        working(engine, mailroom.outfit) as house,
    ):
        await house.tasks.round()
        yield TaskStage(database, sale.tenant_id, task, house)


async def sent(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Frozen, passed over a window of pages at a time, one of them retried on a timer, audited."""
    await people(database, tenant_id, MANY)
    async with staged(engine, database, Sale(tenant_id), Verdict.DEFERRED) as stage:
        run = await stage.handle()
        assert await run.result() == {"accepted": MANY}
    return {"task_sent": run}


async def steered(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Waits for its time, is paused and resumed and cancelled; each time a signal asks for a look."""
    await people(database, tenant_id, 10)
    async with staged(engine, database, Sale(tenant_id, delay=timedelta(days=2))) as stage:
        run = await stage.handle()
        await stage.paid()
        for what in ("state = 'paused'", "state = 'scheduled'", "state = 'paused', cancel_requested = true"):
            await stage.set(what)
            await stage.paid()
        assert await run.result() == {}
    return {"task_steered": run}


async def continued(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Its history grows long in the middle: what is under way ends first, then it goes on in another run."""
    await people(database, tenant_id, 3 * MANY)
    async with staged(engine, database, Sale(tenant_id)) as stage:
        run = await stage.handle()
        last = stage.house.client.get_workflow_handle(run.id)
        assert await last.result() == {"accepted": 3 * MANY}
    return {"task_continued": run}


LONG_TASK_SHAPES: Sequence[Callable[[Client, Database, UUID], Awaitable[Runs]]] = (continued,)
TASK_SHAPES: Sequence[Callable[[Client, Database, UUID], Awaitable[Runs]]] = (sent, steered)
