"""Pages are counted beforehand: whoever asks finds all but the last of them done."""

import asyncio
from uuid import UUID

import pytest

from postroom.database.engine import Database
from postroom.reports.counting import count, fold
from postroom.reports.rounds import AT_ONCE, LineRounds
from postroom.reports.service import Reports
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.frozen_tasks import Sending, sending_task
from tests.fixtures.rows import change, rows

LINES = "SELECT number, keys FROM task_page_lines WHERE task_id = %s AND dimension = 'outcome' ORDER BY number"


async def counted(database: Database, task_id: UUID) -> list[int]:
    return [row["number"] for row in await rows(database, LINES, task_id)]


async def rounds(database: Database, workers: int = 1) -> None:
    while any(await asyncio.gather(*(LineRounds(database, Timing()).round() for _ in range(workers)))):
        pass


async def test_all_that_rests_is_counted_however_many_work(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, 2 * AT_ONCE + 1, page=1)
    other = await sending_task(database, tenants.decoy.id, 3, page=2)
    await task.become("accepted", 5)
    await rounds(database, workers=3)
    assert await counted(database, task.id) == [one for one in range(1, 2 * AT_ONCE + 2) if one != 5]
    assert await counted(database, other.id) == [1, 2]
    await task.settle(5)
    await rounds(database)
    report, _ = await Reports(database).of_task(tenants.alice.id, task.id, None)
    assert {state: n for state, n in report.counts.items() if n} == {"accepted": 1, "pending": 2 * AT_ONCE}


@pytest.mark.parametrize("state", ["paused", "completed"])
async def test_the_last_pages_of_what_has_just_stopped_are_counted(
    database: Database, tenants: Tenants, state: str
) -> None:
    late, old = [await sending_task(database, tenants.alice.id, 2) for _ in range(2)]
    await late.put(state)
    await old.put(state)
    await change(database, "UPDATE campaign_tasks SET updated_at = now() - interval '1 day' WHERE id = %s", old.id)
    await rounds(database)
    assert (await counted(database, late.id), await counted(database, old.id)) == ([1], [])


async def test_a_page_that_is_being_written_is_left_for_later(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, 3, page=1)
    async with database.tenant_transaction(tenants.alice.id) as writer:
        await writer.execute("SELECT FROM task_pages WHERE task_id = %s AND number = 2 FOR NO KEY UPDATE", (task.id,))
        async with database.tenant_transaction(tenants.alice.id) as connection:
            assert await fold(connection, task.id, 0, 10) == 3
    assert await counted(database, task.id) == [1, 3]


async def test_only_pages_with_somebody_in_a_state_are_read_for_it(database: Database, tenants: Tenants) -> None:
    task = await sending_task(database, tenants.alice.id, 30, page=10)
    await task.become("accepted", 1, 11)
    await task.settle(1)
    async with database.tenant_transaction(tenants.alice.id) as connection:
        lines = await count(connection, task.id, states=["accepted", "failed"])
    outcome = {(line.state, line.count) for line in lines if line.dimension == "outcome"}
    assert outcome == {("accepted", 2), ("pending", 18)}  # of the third page nobody


async def test_no_minute_is_in_the_future(database: Database, tenants: Tenants) -> None:
    task: Sending = await sending_task(database, tenants.alice.id, 1)
    await task.become("accepted", 1)
    await change(database, "UPDATE campaign_tasks SET started_at = '2026-11-20T09:00Z' WHERE id = %s", task.id)
    await change(database, "UPDATE deliveries SET ended_at = '2026-11-20T10:00:59.9Z' WHERE task_id = %s", task.id)
    report, _ = await Reports(database).of_task(tenants.alice.id, task.id, None)
    assert str(report.sent(max)) == "2026-11-20 10:00:00+00:00"
