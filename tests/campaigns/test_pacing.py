"""The pace of a task: a pure answer, and a row that all workers count by."""

from datetime import UTC, datetime, timedelta

from postroom.campaigns.pacing import grant, reserve
from postroom.database.engine import Database
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change
from tests.fixtures.tasks import Mailroom, Sale, launched, people, task_row

FASTER = """
UPDATE campaign_tasks SET pace = '{"per_minute": 6000}', pace_anchor = NULL WHERE id = %s
"""
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
