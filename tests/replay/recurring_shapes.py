"""The shapes that what comes again can take, each played once on a real server so that its history can be kept."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from temporalio.client import Client, WorkflowHandle

from postroom.database.engine import Database
from postroom.identity import enrolment_workflow_id, new_id, schedule_workflow_id
from postroom.schedules.service import Schedules
from postroom.sequences.course import Step
from postroom.sequences.enrolling import Enrolments, Newcomer
from postroom.sequences.poking import Poker
from postroom.timing import Timing
from tests.fixtures.database import Tenant
from tests.fixtures.rows import rows
from tests.fixtures.schedules import contacts, recurring, runs_of, scheduled, terms
from tests.fixtures.sequences import enrolled, made, plan
from tests.fixtures.waiting import until
from tests.replay.shapes import PATIENCE, Runs
from workflows.starters import enrolment_starter

TIMING = Timing()


async def tenant_of(database: Database, tenant_id: UUID) -> Tenant:
    """The tenant, with its name."""
    [row] = await rows(database, "SELECT slug FROM tenants WHERE id = %s", tenant_id)
    return Tenant(tenant_id, row["slug"])


async def fired(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Fired by the engine: the time is its own."""
    tenant = await tenant_of(database, tenant_id)
    await contacts(database, tenant, 25)
    one = await scheduled(database, tenant, terms())
    name = schedule_workflow_id(tenant.slug, one)
    async with recurring(engine, database, TIMING, page_size=10) as keeper:
        await keeper.round()
        await engine.get_schedule_handle(name).trigger()
        await until(lambda: runs_of(database, one), PATIENCE)
        [run] = await runs_of(database, one)
        last = engine.get_workflow_handle(f"{name}-{run['fire_at']:%Y-%m-%dT%H:%M:%SZ}")
        assert await last.result() == {"state": "completed", "inserted": 25, "total": 25}
        return {"fired": last}


async def triggered(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Asked for by a person: the run has its row before its workflow."""
    tenant = await tenant_of(database, tenant_id)
    await contacts(database, tenant, 5)
    one = await scheduled(database, tenant, terms())
    view, _ = await Schedules(database).trigger(tenant.id, one, None)
    async with recurring(engine, database, TIMING) as keeper:
        await keeper.round()
        last = engine.get_workflow_handle(schedule_workflow_id(tenant.slug, one, view.run.id))
        assert await last.result() == {"state": "completed", "inserted": 5, "total": 5}
        return {"triggered": last}


HELLO = (Step(0, "Hello, {{ name }}", "A word from us."), Step(2, "Another one", "A word from us."))
ADA = Newcomer("ada-lovelace", variables={"name": "Hello"})


async def gone_through(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """A step at once, a wait on a timer, another step."""
    async with on_the_way(engine, database, tenant_id, HELLO) as (_, last):
        assert await last.result() == {"sent": 2}
        return {"gone_through": last}


async def stopped(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Ended by an event while it waits."""
    far = (HELLO[0], replace(HELLO[1], delay=86_400))
    async with on_the_way(engine, database, tenant_id, far) as (poker, last):
        waiting = "SELECT * FROM enrolments WHERE pokes = 0 AND next_poke_at > now() + interval '1 h'"
        await until(lambda: rows(database, waiting), PATIENCE)
        assert await Enrolments(database).happened(tenant_id, ADA.user_id, "subscribed") == 1
        await poker.round()
        assert await last.result() == {"cancelled": 1, "sent": 1}
        return {"stopped": last}


@asynccontextmanager
async def on_the_way(
    engine: Client, database: Database, tenant_id: UUID, steps: Sequence[Step]
) -> AsyncIterator[tuple[Poker, WorkflowHandle[object, object]]]:
    """Enrol one person, start the worker and poke."""
    tenant = await tenant_of(database, tenant_id)
    newcomer = replace(ADA, enrolment_id=new_id())
    one = await enrolled(database, tenant, await made(database, tenant, plan(steps)), newcomer)
    poker = Poker(database, enrolment_starter(engine), TIMING)
    async with recurring(engine, database, TIMING):
        await poker.round()
        yield poker, engine.get_workflow_handle(enrolment_workflow_id(tenant.slug, one))


RECURRING_SHAPES: Sequence[Callable[[Client, Database, UUID], Awaitable[Runs]]] = (
    fired,
    triggered,
    gone_through,
    stopped,
)
