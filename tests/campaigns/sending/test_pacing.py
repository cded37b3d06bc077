"""The pace of a task: a pure answer, and a row that all workers count by."""

import asyncio
from datetime import UTC, datetime, timedelta

from postroom.campaigns.sending.pacing import grant, reserve
from postroom.contracts.campaigns import PagePass
from postroom.database.engine import Database
from postroom.deliveries.handing import Tally
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change
from tests.fixtures.sink import Behaviour, Sink
from tests.fixtures.tasks import PAGE, Mailroom, Sale, by_state, launched, people, task_row
from tests.fixtures.waiting import until

FASTER = """
UPDATE campaign_tasks SET pace = '{"per_minute": 6000}', pace_anchor = NULL WHERE id = %s
"""
SLOWER = """
UPDATE campaign_tasks SET pace = '{"per_minute": 1}', pace_anchor = NULL WHERE id = %s
"""
UNPACED = "UPDATE campaign_tasks SET pace = '{}', pace_anchor = NULL WHERE id = %s"
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def standing(**more: object) -> dict[str, object]:
    return {"pace": {"per_minute": 600}, "anchor": None, "left": 1_000, "now": NOW} | more


def test_so_many_a_minute_and_no_more_than_a_second_of_them_at_once() -> None:
    first = grant(standing(), 500)
    assert (first.count, first.anchor) == (1, NOW + SECOND / 10)
    assert grant(standing(anchor=first.anchor), 500).wait == SECOND / 10
    rested = grant(standing(anchor=NOW - timedelta(hours=1)), 500)
    assert rested.count == 11
    assert rested.anchor <= NOW + SECOND / 5
    assert grant(standing(anchor=NOW - SECOND), 3).count == 3


def test_what_must_be_finished_is_spread_over_the_time_that_is_left() -> None:
    pace = {"finish_by": (NOW + timedelta(seconds=100)).isoformat()}
    assert grant(standing(pace=pace, anchor=NOW), 50).anchor == NOW + SECOND / 10
    behind = {"finish_by": (NOW + timedelta(seconds=10)).isoformat()}
    assert grant(standing(pace=behind, anchor=NOW), 50).anchor == NOW + SECOND / 100
    late = {"finish_by": (NOW - SECOND).isoformat()}
    assert grant(standing(pace=late), 50).count == 50


def test_without_a_pace_all_may_go() -> None:
    assert grant(standing(pace={}), 500).count == 500


async def test_the_row_is_what_everybody_counts_by(database: Database, tenants: Tenants, mailroom: Mailroom) -> None:
    await people(database, tenants.alice.id, 30)
    task = await launched(database, Sale(tenants.alice.id, pace={"per_minute": 1}))
    await mailroom.step(tenants.alice.id, task)
    async with database.tenant_transaction(tenants.alice.id) as connection:
        first = await reserve(connection, task, 500)
        second = await reserve(connection, task, 500)
    assert (first.count, second.count) == (1, 0)
    await change(database, FASTER, task)
    assert (await mailroom.run(tenants.alice.id, task)).closed
    row = await task_row(database, task)
    assert row["totals"] == {"accepted": 30}
    assert row["paced"] >= 30
    assert row["ended_at"] - row["started_at"] >= timedelta(seconds=0.25)


async def test_a_slower_pace_holds_for_those_who_are_claimed_already(
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink
) -> None:
    await people(database, tenants.alice.id, PAGE)
    sink.behave("user", Behaviour.late(0.5))
    task = await launched(database, Sale(tenants.alice.id))
    await mailroom.step(tenants.alice.id, task)
    sending = asyncio.create_task(mailroom.run(tenants.alice.id, task))

    async def begun() -> bool:
        return len(sink.accepted) > 0

    await until(begun, 20)
    await change(database, SLOWER, task)

    async def given_back() -> bool:
        return set(await by_state(database, task)) == {"accepted", "pending"}

    await until(given_back, 20)
    assert len(sink.accepted) < PAGE
    await change(database, UNPACED, task)
    assert (await sending).closed
    assert len(sink.copies()) == len(sink.accepted) == PAGE


async def test_what_went_before_there_was_a_pace_is_not_spread_over_the_time_that_is_left(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    await people(database, tenants.alice.id, 2 * PAGE)
    task = await launched(database, Sale(tenants.alice.id))
    await mailroom.step(tenants.alice.id, task)
    await mailroom.sender.send(PagePass(tenants.alice.id, task, 1), Tally(), lambda: False)
    evenly = "UPDATE campaign_tasks SET pace = jsonb_build_object('finish_by', now() + interval '500 s') WHERE id = %s"
    await change(database, evenly, task)
    await mailroom.look(tenants.alice.id, task)
    async with database.tenant_transaction(tenants.alice.id) as connection:
        assert (await reserve(connection, task, 1)).count == 1
        wait = (await reserve(connection, task, 1)).wait
    assert timedelta(seconds=8) < wait <= timedelta(seconds=10.5)
