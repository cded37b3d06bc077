"""kill -9 while a schedule writes its audience, and while a sequence takes its next step: everybody is told once."""

import asyncio
from typing import Any

import pytest

from tests.chaos.gates import Gate, Gates
from tests.chaos.house import POSTGRES, TEMPORAL, WORKER, House, Told
from tests.chaos.report import Report
from tests.chaos.test_jobs import Desk, open_desk
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

REACH_SECONDS = 30.0
PATIENCE = 120

RUN = "SELECT state, inserted, total FROM schedule_runs WHERE id = (SELECT max(id::text)::uuid FROM schedule_runs)"
TOLD = "SELECT count(*) AS all, count(DISTINCT user_id) AS people FROM notifications WHERE user_id LIKE %s"
STEPS = """
SELECT e.state, count(*) AS count FROM enrolments e WHERE e.user_id LIKE %s GROUP BY e.state
"""
SAID = """
SELECT p.title, count(*) AS all, count(DISTINCT n.user_id) AS people
FROM notifications n JOIN notification_contents p ON p.notification_id = n.id
WHERE n.user_id LIKE %s GROUP BY p.title ORDER BY p.title
"""


@pytest.fixture
def told() -> Told:
    return {WORKER: {"POSTROOM_PAGE_SIZE": "20"}}


async def fired(desk: Desk, name: str, count: int) -> dict[str, Any]:
    """Make a schedule for many people, and run it now."""
    people = [f"{name}-{number}" for number in range(count)]
    body = {
        "name": name,
        "message": {"channel": "in_app", "title": "Your week", "content": "Three courses begin on Monday."},
        "audience": {"user_ids": people},
        "cron": "0 0 1 1 *",
    }
    made = await desk.ask("POST", "/schedules", json=body)
    return await desk.ask("POST", f"/schedules/{made['id']}/trigger")


@pytest.mark.parametrize("victim", [WORKER, TEMPORAL, POSTGRES])
async def test_a_run_is_taken_up_where_it_was_cut_off(
    house: House, report: Report, victim: str, pytestconfig: pytest.Config
) -> None:
    for seed in range(pytestconfig.getoption("rounds")):
        async with open_desk(house) as desk:
            await cut_off_run(house, desk, victim, (f"run-{victim}-{seed}", report.size(400, 2_000)))


async def cut_off_run(house: House, desk: Desk, victim: str, audience: tuple[str, int]) -> None:
    """Kill the victim while a page in the middle of a run is written and not committed."""
    name, people = audience
    gates = Gates(house)

    async def stands(least: int, state: str = "running") -> bool:
        found = await house.rows(RUN)
        return bool(found and found[0]["inserted"] >= least and found[0]["state"] == state)

    run = await fired(desk, name, people)
    await until(lambda: stands(100), PATIENCE)
    await gates.shut(Gate.PAGING)
    await gates.reached(Gate.PAGING, REACH_SECONDS)
    [cut] = await house.rows(RUN)
    assert 0 < cut["inserted"] < people
    await gates.cut_off(Gate.PAGING, victim, REACH_SECONDS)
    await until(lambda: stands(people, "completed"), PATIENCE)
    [whole] = await house.rows(RUN)
    assert whole == {"state": "completed", "inserted": people, "total": people}
    assert await house.rows(TOLD, f"{name}-%") == [{"all": people, "people": people}]

    async def all_sent() -> bool:
        schedules = await desk.ask("GET", "/schedules", params={"limit": 1})
        runs = await desk.ask("GET", f"/schedules/{schedules['items'][0]['id']}/runs")
        [shown] = runs["items"]
        assert (shown["id"], sum(shown["counts"].values())) == (run["id"], people)
        return bool(shown["counts"]["sent"] == people)

    await until(all_sent, PATIENCE)


@pytest.mark.parametrize("victim", [WORKER, TEMPORAL, POSTGRES])
async def test_a_step_is_sent_once_when_its_wake_up_is_cut_off(
    house: House, report: Report, victim: str, pytestconfig: pytest.Config
) -> None:
    for seed in range(pytestconfig.getoption("rounds")):
        async with open_desk(house) as desk:
            await cut_off_step(house, desk, victim, (f"way-{victim}-{seed}", report.size(20, 200)))


async def cut_off_step(house: House, desk: Desk, victim: str, audience: tuple[str, int]) -> None:
    """Kill the victim while the second step of many people is written and not committed."""
    name, people = audience
    gates = Gates(house)
    steps = [{"title": f"{name} {number}", "content": "Go on.", "delay": 2 * number} for number in range(3)]
    made = await desk.ask("POST", "/sequences", json={"name": name, "channel": "in_app", "steps": steps})
    await gates.shut(Gate.STEPPING)
    newcomers = {"enrolments": [{"user_id": f"{name}-{number}"} for number in range(people)]}
    await desk.ask("POST", f"/sequences/{made['id']}/enrolments/batch", json=newcomers)
    await gates.reached(Gate.STEPPING, REACH_SECONDS)
    await asyncio.sleep(0.5)
    await gates.cut_off(Gate.STEPPING, victim, REACH_SECONDS)

    async def all_through() -> bool:
        return await house.rows(STEPS, f"{name}-%") == [{"state": "completed", "count": people}]

    await until(all_through, PATIENCE)
    assert await house.rows(SAID, f"{name}-%") == [
        {"title": f"{name} {number}", "all": people, "people": people} for number in range(3)
    ]
