"""A schedule on a real server: it fires, it is triggered, and what breaks off in the middle is taken up again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from temporalio.client import Client, WorkflowExecutionStatus

from postroom.contracts.recurring import RunStanding
from postroom.database.engine import Database
from postroom.identity import schedule_workflow_id
from postroom.schedules import paging
from postroom.schedules.service import Schedules
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.engine import running
from tests.fixtures.rows import change, rows
from tests.fixtures.schedules import contacts, recurring, runs_of, scheduled, terms, told
from tests.fixtures.waiting import until

TIMING = Timing()
PATIENCE = 30


async def ended(database: Database, schedule_id: UUID, count: int = 1) -> list[dict[str, Any]]:
    async def is_over() -> bool:
        found = await runs_of(database, schedule_id)
        return len(found) == count and all(run["state"] != "running" for run in found)

    await until(is_over, PATIENCE)
    return await runs_of(database, schedule_id)


async def test_the_engine_fires_and_everybody_is_told(database: Database, tenants: Tenants, engine: Client) -> None:
    alice = tenants.alice
    await contacts(database, alice, 25)
    one = await scheduled(database, alice, terms())
    async with recurring(engine, database, TIMING, page_size=10) as keeper, running(engine, database, TIMING) as house:
        await keeper.round()
        name = schedule_workflow_id(alice.slug, one)
        await engine.get_schedule_handle(name).trigger()
        [run] = await ended(database, one)
        assert (run["state"], run["total"], run["inserted"], run["cause"]) == ("completed", 25, 25, "schedule")
        meant = datetime.strftime(run["fire_at"].astimezone(UTC), "%Y-%m-%dT%H:%M:%SZ")
        handle = engine.get_workflow_handle(f"{name}-{meant}")
        assert await handle.result() == {"state": "completed", "inserted": 25, "total": 25}
        await house.hand_over()
        sent = "SELECT id FROM notifications WHERE tenant_id = %s AND state = 'sent'"
        await until(lambda: all_of(25, rows(database, sent, alice.id)), PATIENCE)
        history = str((await handle.fetch_history()).events)
    assert alice.id.hex[:8] in history
    assert "p00001" not in history
    assert "Your week" not in history


async def all_of(count: int, found: Awaitable[list[dict[str, Any]]]) -> bool:
    return len(await found) == count


async def test_a_trigger_runs_once_however_often_it_is_poked(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    alice = tenants.alice
    await contacts(database, alice, 3)
    one = await scheduled(database, alice, terms())
    await Schedules(database).pause(alice.id, one)
    view, _ = await Schedules(database).trigger(alice.id, one, None)
    async with recurring(engine, database, TIMING) as keeper:
        for _ in range(3):
            await change(database, "UPDATE schedule_runs SET next_poke_at = now()")
            await keeper.round()
        [run] = await ended(database, one)
        handle = engine.get_workflow_handle(schedule_workflow_id(alice.slug, one, view.run.id))
        assert await handle.result() == {"state": "completed", "inserted": 3, "total": 3}
    assert (run["cause"], run["inserted"]) == ("trigger", 3)
    assert len(await told(database, alice)) == 3


async def test_a_run_that_an_operator_terminated_is_taken_up_again(
    database: Database, tenants: Tenants, engine: Client, monkeypatch: Any
) -> None:
    alice = tenants.alice
    await contacts(database, alice, 45)
    one = await scheduled(database, alice, terms())
    view, _ = await Schedules(database).trigger(alice.id, one, None)
    handle = engine.get_workflow_handle(schedule_workflow_id(alice.slug, one, view.run.id))
    reached, let_go = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(paging.Pager, "write_next", held_after(2, reached, let_go))
    async with recurring(engine, database, TIMING, page_size=10) as keeper:
        await keeper.round()
        await asyncio.wait_for(reached.wait(), PATIENCE)
        await handle.terminate("by hand")
        let_go.set()
        assert (await handle.describe()).status == WorkflowExecutionStatus.TERMINATED
        monkeypatch.undo()
        await change(database, "UPDATE schedule_runs SET next_poke_at = now()")
        await keeper.round()
        [run] = await ended(database, one)
    assert (run["state"], run["inserted"]) == ("completed", 45)
    assert await told(database, alice) == [f"p{n:05}" for n in range(1, 46)]


def held_after(pages: int, reached: asyncio.Event, let_go: asyncio.Event) -> Callable[..., Awaitable[RunStanding]]:
    write_next = paging.Pager.write_next
    written = 0

    async def held(pager: paging.Pager, *asked: Any) -> RunStanding:
        nonlocal written
        if written == pages:
            reached.set()
            await let_go.wait()
        written += 1
        return await write_next(pager, *asked)

    return held


async def test_a_firing_while_the_last_one_is_at_work_is_left_out(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    alice = tenants.alice
    await contacts(database, alice, 3)
    one = await scheduled(database, alice, terms())
    async with recurring(engine, database, TIMING) as keeper:
        await keeper.round()
    schedule = engine.get_schedule_handle(schedule_workflow_id(alice.slug, one))
    await schedule.trigger()  # nobody is there to run it
    await asyncio.sleep(1.1)  # the engine names a firing by its second
    await schedule.trigger()
    async with recurring(engine, database, TIMING):
        [run] = await ended(database, one)
        assert (await schedule.describe()).info.num_actions_skipped_overlap == 1
    assert run["fire_at"] > datetime.now(UTC) - timedelta(minutes=1)
    assert len(await told(database, alice)) == 3
