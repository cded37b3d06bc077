"""Two workers send one task: one stands still and goes on, or is replaced in the middle as a deployment does."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from random import Random

import pytest

from tests.chaos.accounts import account, over
from tests.chaos.house import SECOND_WORKER, WORKER, House
from tests.chaos.loads import DEMO
from tests.chaos.report import Report
from tests.chaos.tasks import Crowd, Task, launch
from tests.fixtures.sink import Behaviour
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

PATIENCE = 240.0
BOTH = (WORKER, SECOND_WORKER)
UNHURRIED = "0.5"  # whoever is asked to end has fifteen seconds for it, as no machine is too busy for
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 5.0  # a claim lasts three here, a hand-off three and a half
AFTERLIFE_SECONDS = 1.0
SLOW = Behaviour.hang("dot", 0.1)


@pytest.fixture
async def slow_house(house: House) -> AsyncIterator[House]:
    """The house, sending to a server that takes its time."""
    house.sink.behave("ok", SLOW)
    yield house
    house.sink.behave("ok")


async def begin(house: House, settings: Mapping[str, str]) -> None:
    """Start two workers with these settings."""
    await asyncio.gather(*(house.tell(one, settings) for one in BOTH))


async def half_sent(house: House, name: str, people: int) -> Task:
    """Launch a task and wait until some of it has gone."""
    tenant_id = (await house.rows(DEMO))[0]["id"]
    before = len(house.sink.accepted)
    task = await launch(house.database_url, Crowd(tenant_id, name, people))

    async def some_have_gone() -> bool:
        return len(house.sink.accepted) - before > people // 10

    await until(some_have_gone, PATIENCE)
    return task


async def test_a_worker_that_stands_still_sends_nothing_twice(slow_house: House, report: Report) -> None:
    """The workers are stopped in turn, for longer than a claim lasts at times, and go on."""
    house = slow_house
    await begin(house, {"POSTROOM_CAMPAIGN_PAGE": str(report.size(10, 100))})
    stops, people = report.size(1, 20), report.size(400, 20_000)
    task = await half_sent(house, f"stopped-{people}", people)
    chance = Random("stopped")  # noqa: S311 - a fixed seed is the point
    for number in range(stops):
        victim = BOTH[number % 2]
        house.freeze(victim)
        await asyncio.sleep(chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
        house.thaw(victim)
        await asyncio.sleep(AFTERLIFE_SECONDS)
    await over(house, [task], PATIENCE)
    await asyncio.sleep(AFTERLIFE_SECONDS)
    verdict = await account(house, task)
    report.note(f"task, worker stopped {stops} times", people=people, unknown=len(verdict.unknown), **verdict.faults)
    assert not verdict.faults


async def test_a_deployment_leaves_nothing_unknown(slow_house: House, report: Report) -> None:
    """The workers are asked to end in turn while the other one goes on, and a new one comes for each but the last."""
    house = slow_house
    await begin(house, {"POSTROOM_CAMPAIGN_PAGE": str(report.size(10, 100)), "POSTROOM_TIME_SCALE": UNHURRIED})
    times, people = report.size(1, 10), report.size(400, 20_000)
    task = await half_sent(house, f"deployed-{people}", people)
    for number in range(times):
        victim = BOTH[number % 2]
        assert await house.stop(victim) == 0
        if number + 1 < times:
            await house.start(victim)
    await over(house, [task], PATIENCE)
    verdict = await account(house, task)
    report.note(f"task, worker replaced {times} times", people=people, unknown=len(verdict.unknown), **verdict.faults)
    assert not verdict.faults
    assert verdict.unknown == {}
