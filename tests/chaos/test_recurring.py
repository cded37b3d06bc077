"""kill -9 of the worker and of the engine while a schedule writes its audience: everybody is told once."""

import asyncio
from typing import Any

import pytest

from tests.chaos.house import TEMPORAL, WORKER, House
from tests.chaos.test_jobs import Desk, open_desk
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

PEOPLE = 2_000
PAGE = {"POSTROOM_PAGE_SIZE": "20"}
PATIENCE = 120

RUN = "SELECT state, inserted, total FROM schedule_runs WHERE id = (SELECT max(id::text)::uuid FROM schedule_runs)"


async def fired(desk: Desk, name: str) -> dict[str, Any]:
    """Make a schedule for many people, and run it now."""
    people = [f"{name}-{number}" for number in range(PEOPLE)]
    body = {
        "name": name,
        "message": {"channel": "in_app", "title": "Your week", "content": "Three courses begin on Monday."},
        "audience": {"user_ids": people},
        "cron": "0 0 1 1 *",
    }
    made = await desk.ask("POST", "/schedules", json=body)
    return await desk.ask("POST", f"/schedules/{made['id']}/trigger")


@pytest.mark.parametrize("victim", [WORKER, TEMPORAL])
async def test_a_run_is_taken_up_where_it_was_cut_off(house: House, victim: str) -> None:
    await house.tell(WORKER, PAGE)
    name = f"cut-off-{victim}"

    async def stands(least: int, state: str = "running") -> bool:
        found = await house.rows(RUN)
        return bool(found and found[0]["inserted"] >= least and found[0]["state"] == state)

    async with open_desk(house) as desk:
        run = await fired(desk, name)
        await until(lambda: stands(100), PATIENCE)
        await house.kill(victim)
        [cut] = await house.rows(RUN)
        assert 0 < cut["inserted"] < PEOPLE
        await asyncio.sleep(0.5)
        await house.start(victim)
        await until(lambda: stands(PEOPLE, "completed"), PATIENCE)
        [whole] = await house.rows(RUN)
        assert whole == {"state": "completed", "inserted": PEOPLE, "total": PEOPLE}
        count = "SELECT count(*) AS all, count(DISTINCT user_id) AS people FROM notifications WHERE user_id LIKE %s"
        assert await house.rows(count, f"{name}-%") == [{"all": PEOPLE, "people": PEOPLE}]

        async def all_sent() -> bool:
            schedules = await desk.ask("GET", "/schedules", params={"limit": 1})
            runs = await desk.ask("GET", f"/schedules/{schedules['items'][0]['id']}/runs")
            [shown] = runs["items"]
            assert (shown["id"], sum(shown["counts"].values())) == (run["id"], PEOPLE)
            return bool(shown["counts"]["sent"] == PEOPLE)

        await until(all_sent, PATIENCE)
