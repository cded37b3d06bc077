"""Pause, resume, cancel and launch at full speed, many at once, and with the API killed: every answer is kept."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from random import Random

import pytest

from postroom.identity import TASK, public_id
from tests.chaos.accounts import account, over, states
from tests.chaos.gates import Gate, Gates
from tests.chaos.house import API, House
from tests.chaos.operators import CONNECTIONS, Operator, open_operator
from tests.chaos.report import Report
from tests.chaos.tasks import Task, Terms
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

Paces = list[dict[str, int]]

PATIENCE = 240.0
REACH_SECONDS = 120.0
STILL_SECONDS = 0.2
OPERATORS = 4
SHARES = 50  # of a task, one goes between two pauses
ANSWERS = 15  # before each kill, and after the last
REFUSALS = {"task_paused", "task_sending", "task_scheduled", "task_completed"}
STORY = "SELECT kind FROM task_events WHERE task_id = %s AND kind = ANY(%s) ORDER BY id"


@pytest.fixture
async def operator(house: House) -> AsyncIterator[Operator]:
    """An operator of the demo tenant."""
    async with open_operator(house) as someone:
        yield someone


async def test_what_was_paused_or_cancelled_stands_still(operator: Operator, report: Report) -> None:
    times, people = report.size(3, 20), report.size(600, 20_000)
    task = await operator.half_sent(await operator.crowd(f"paused-{people}", people))
    late = [await stopped(operator, task, "pause")]
    for _ in range(times - 1):
        assert await operator.signal(task, "resume") == "resumed"
        await operator.goes_on(task, people // SHARES)
        late.append(await stopped(operator, task, "pause"))
    assert await operator.signal(task, "resume") == "resumed"
    await operator.goes_on(task, people // SHARES)
    late.append(await stopped(operator, task, "cancel"))
    await over(operator.house, [task], PATIENCE)
    verdict = await account(operator.house, task)
    ended = await states(operator.house, task.id)
    report.note(f"task, paused {times} times, cancelled", taken_after_the_answer=late, ended=ended, **verdict.faults)
    assert not verdict.faults
    assert max(late) <= CONNECTIONS
    assert ended.keys() == {"accepted", "cancelled"}
    assert operator.told(task) == ended["accepted"]


async def stopped(operator: Operator, task: Task, verb: str) -> int:
    """Stop a task; returns how many mails the sink took after the answer."""
    assert await operator.signal(task, verb) == ("paused" if verb == "pause" else "cancelling")
    taken = operator.told(task)
    await operator.settled(task.id)
    stood = operator.told(task)
    await asyncio.sleep(STILL_SECONDS)
    assert operator.told(task) == stood
    return stood - taken


async def test_a_storm_of_signals_while_the_api_is_killed(operator: Operator, report: Report) -> None:
    house, gates = operator.house, Gates(operator.house)
    times, people = report.size(1, 20), report.size(300, 20_000)
    slow = report.size(600, 3_000)  # a minute, so that it lasts while the API starts again
    paces = [{"per_minute": slow}, {"per_minute": 2 * slow}]
    task = await operator.half_sent(await operator.crowd(f"stormy-{people}", people), Terms(pace=paces[0]))
    said: Counter[str] = Counter()
    raging = [asyncio.create_task(rage(operator, task, (f"storm {n}", paces), said)) for n in range(OPERATORS)]
    for _ in range(times):
        await answered(said, ANSWERS)
        await gates.shut(Gate.STEERING)
        await gates.cut_off(Gate.STEERING, API, REACH_SECONDS)
    await answered(said, ANSWERS)
    for one in raging:
        one.cancel()
    await asyncio.gather(*raging, return_exceptions=True)
    said[await operator.signal(task, "pace", {})] += 1
    said[await operator.signal(task, "resume")] += 1
    await over(house, [task], PATIENCE)
    verdict = await account(house, task)
    kinds = [row["kind"] for row in await house.rows(STORY, task.id, ["paused", "resumed"])]
    told = dict(sorted(said.items()))
    report.note(f"task, storm of signals, API killed {times} times", people=people, answers=told, **verdict.faults)
    assert not verdict.faults
    assert said.keys() <= REFUSALS | {"paused", "resumed", "paced"}
    # Of two that ask for the same one is refused: what is paused cannot be paused again.
    assert kinds == ["paused", "resumed"] * (len(kinds) // 2)


async def answered(said: Counter[str], more: int) -> None:
    """Wait until so many more signals have been answered."""
    enough = said.total() + more

    async def have_been() -> bool:
        return said.total() >= enough

    await until(have_been, PATIENCE)


async def rage(operator: Operator, task: Task, seed: tuple[str, Paces], said: Counter[str]) -> None:
    """Ask for this and that until stopped."""
    name, paces = seed
    chance = Random(name)  # noqa: S311 - a fixed seed is the point
    while True:
        verb = chance.choice(("pause", "resume", "resume", "pace"))
        said[await operator.signal(task, verb, chance.choice(paces) if verb == "pace" else None)] += 1
        await asyncio.sleep(chance.uniform(0, 0.1))


async def test_of_many_launches_one_wins_though_the_api_is_killed(operator: Operator, report: Report) -> None:
    house, gates = operator.house, Gates(operator.house)
    for number in range(report.size(1, 10)):
        task = await operator.drafted(await operator.crowd(f"launched-{number}", 60))
        path, key = f"/tasks/{public_id(TASK, task.id)}/launch", {"Idempotency-Key": f"launch {number}"}
        await gates.shut(Gate.LAUNCHING)
        ask = operator.desk.ask
        asked = [asyncio.create_task(ask("POST", path, headers=headers)) for headers in (key, {}) for _ in range(3)]
        await gates.cut_off(Gate.LAUNCHING, API, REACH_SECONDS)
        answers = await asyncio.gather(*asked)
        assert {one.get("id") or one["code"] for one in answers} <= {public_id(TASK, task.id), *REFUSALS}
        await over(house, [task], PATIENCE)
        verdict = await account(house, task)
        report.note(f"task, six launches at once, API killed, {number}", **verdict.faults)
        assert not verdict.faults
        assert await house.rows(STORY, task.id, ["launched"]) == [{"kind": "launched"}]
