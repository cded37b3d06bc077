"""Two workers send one task: one stands still and goes on, or is replaced in the middle as a deployment does."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from tests.chaos.accounts import account, over
from tests.chaos.house import SECOND_WORKER, WORKER, House
from tests.chaos.loads import DEMO
from tests.chaos.report import Report
from tests.chaos.tasks import Crowd, Task, launch
from tests.fixtures.sink import Behaviour
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

PATIENCE = 240.0
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 5.0  # a claim lasts three here, a hand-off three and a half
AFTERLIFE_SECONDS = 1.0
SLOW = Behaviour.hang("dot", 0.1)


@pytest.fixture
async def two_workers(house: House, report: Report) -> AsyncIterator[House]:
    """The house with a second worker, small pages, and a server that takes its time."""
    pages = {"POSTROOM_CAMPAIGN_PAGE": str(report.size(10, 100))}
    house.sink.behave("ok", SLOW)
    await asyncio.gather(house.tell(WORKER, pages), house.tell(SECOND_WORKER, pages))
    yield house
    house.sink.behave("ok")


async def half_sent(house: House, name: str, people: int) -> Task:
    """Launch a task and wait until some of it has gone."""
    tenant_id = (await house.rows(DEMO))[0]["id"]
    before = len(house.sink.accepted)
    task = await launch(house.database_url, Crowd(tenant_id, name, people))

    async def some_have_gone() -> bool:
        return len(house.sink.accepted) - before > people // 10

    await until(some_have_gone, PATIENCE)
    return task


async def test_one_stands_still_and_both_are_replaced(two_workers: House, report: Report) -> None:
    """Who is stopped past its leases sends nothing twice; who is asked to end leaves nothing unknown."""
    await stood_still(two_workers, report)
    await replaced(two_workers, report)


async def stood_still(house: House, report: Report) -> None:
    """Stop the workers in turn in the middle of a task, and let them go on."""
    stops, people = report.size(1, 10), report.size(400, 8_000)
    task = await half_sent(house, f"stopped-{people}", people)
    chance = Random("stopped")  # noqa: S311 - a fixed seed is the point
    for number in range(stops):
        victim = (WORKER, SECOND_WORKER)[number % 2]
        house.freeze(victim)
        await asyncio.sleep(chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
        house.thaw(victim)
        await asyncio.sleep(AFTERLIFE_SECONDS)
    await over(house, [task], PATIENCE)
    await asyncio.sleep(AFTERLIFE_SECONDS)
    verdict = await account(house, task)
    report.note(f"task, worker stopped {stops} times", people=people, unknown=len(verdict.unknown), **verdict.faults)
    assert not verdict.faults


async def replaced(house: House, report: Report) -> None:
    """Ask the workers in turn to end while the other one goes on, and start a new one for each but the last."""
    times, people = report.size(1, 6), report.size(400, 8_000)
    task = await half_sent(house, f"deployed-{people}", people)
    for number in range(times):
        victim = (WORKER, SECOND_WORKER)[number % 2]
        assert await house.stop(victim) == 0
        if number + 1 < times:
            await house.start(victim)
    await over(house, [task], PATIENCE)
    verdict = await account(house, task)
    report.note(f"task, worker replaced {times} times", people=people, unknown=len(verdict.unknown), **verdict.faults)
    assert not verdict.faults
    assert verdict.unknown == {}
