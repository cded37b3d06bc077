"""Whoever can no longer get a task is expired, whatever the task waits for."""

from datetime import timedelta

import pytest

from postroom.database.engine import Database
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change
from tests.fixtures.sink import Sink
from tests.fixtures.tasks import PAGE, Mailroom, Sale, by_state, exact, launched, people, task_row
from tests.fixtures.waiting import until

PAUSED = "state = 'paused', reason = 'requested'"
HELD = "held_until = now() + interval '1 day', held_reason = 'provider_daily_limit'"
PACED = """pace = '{"per_minute": 1}', pace_anchor = now() + interval '1 day'"""
EVERYBODY = 2 * PAGE + 5


@pytest.mark.parametrize("why", [PAUSED, HELD, PACED])
async def test_while_nothing_may_leave(  # noqa: PLR0913 - fixtures and what varies
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink, why: str
) -> None:
    await people(database, tenants.alice.id, EVERYBODY)
    task = await launched(database, Sale(tenants.alice.id, life=timedelta(seconds=2)))
    await mailroom.step(tenants.alice.id, task)
    await change(database, f"UPDATE campaign_tasks SET {why} WHERE id = %s", task)
    plan = await mailroom.look(tenants.alice.id, task)
    assert plan.wait is None or plan.wait <= timedelta(seconds=2)

    async def over() -> bool:
        await mailroom.run(tenants.alice.id, task)
        return await by_state(database, task) == {"expired": EVERYBODY}

    await until(over, 20)
    assert await exact(database, tenants.alice.id, task) == {"expired": EVERYBODY}
    assert sink.accepted == []
    state = (await task_row(database, task))["state"]
    assert state == ("paused" if why == PAUSED else "completed_with_failures")


async def test_a_paused_task_in_which_everybody_is_over_ends_when_it_is_resumed(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    await people(database, tenants.alice.id, 3)
    task = await launched(database, Sale(tenants.alice.id, life=timedelta(0)))
    await mailroom.step(tenants.alice.id, task)
    await change(database, f"UPDATE campaign_tasks SET {PAUSED} WHERE id = %s", task)
    plan = await mailroom.run(tenants.alice.id, task)
    assert (plan.closed, plan.wait, plan.counts) == (False, None, {"expired": 3})
    await change(database, "UPDATE campaign_tasks SET state = 'sending', reason = NULL WHERE id = %s", task)
    assert (await mailroom.run(tenants.alice.id, task)).closed
    assert (await task_row(database, task))["totals"] == {"expired": 3}


async def test_behind_a_slow_pace_it_is_found_before_the_next_turn(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    await people(database, tenants.alice.id, EVERYBODY)
    task = await launched(database, Sale(tenants.alice.id, pace={"per_minute": 1}))
    await mailroom.step(tenants.alice.id, task)
    over = "UPDATE task_pages SET asks_at = now() WHERE task_id = %s AND number = 3"
    await change(database, over, task)
    assert (await mailroom.look(tenants.alice.id, task)).due == (3,)
