"""kill -9 of every part while a batch is taken in and sent: one job, whose counts sum to its total in every answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import Any

import httpx2
import pytest

from postroom.identity import JOB, parse_id
from tests.chaos.house import API, POSTGRES, TEMPORAL, WORKER, House
from tests.chaos.oracle import ended, judge
from tests.fixtures.plain_http import plain_client

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

PEOPLE = 150
REFUSED = 15  # of them the sink refuses for good
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.05


@dataclass(slots=True)
class Desk:
    """A product team's client that sends batches and watches their jobs."""

    wire: httpx2.AsyncClient
    answers: int = 0
    sums: set[int] = field(default_factory=set)

    async def ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Ask until there is an answer; what is written goes under a key, or may be repeated."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    answer = await self.wire.request(method, f"/api/v1{path}", **more)
                    if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                        return dict(answer.json())
                except httpx2.TransportError:
                    pass  # it is down; the key tells what became of the request
                await asyncio.sleep(PAUSE_SECONDS)

    async def watch(self, job: str) -> None:
        """Ask for the job's counts until its watcher is stopped."""
        while True:
            seen = await self.ask("GET", f"/jobs/{job}")
            self.answers += 1
            self.sums.add(sum(seen["counts"].values()))


@asynccontextmanager
async def open_desk(house: House) -> AsyncIterator[Desk]:
    """A client of the house's API."""
    headers = {"Authorization": f"Bearer {house.api_key}"}
    async with plain_client(base_url=house.api_url, headers=headers, timeout=10) as wire:
        yield Desk(wire)


def many(name: str) -> dict[str, Any]:
    """A batch to the sink."""
    local = ["permfail"] * REFUSED + ["ok"] * (PEOPLE - REFUSED)
    recipients = [
        {"user_id": f"{name}-{number}", "metadata": {"email": f"{to}+{name}{number}@example.org"}}
        for number, to in enumerate(local)
    ]
    content = {"text": "Nothing is lost.", "html": "<p>Nothing is <b>lost</b>.</p>"}
    return {"recipients": recipients, "channel": "email", "title": f"About {name}", "content": content}


@pytest.mark.parametrize("victim", [WORKER, API, TEMPORAL, POSTGRES])
async def test_the_counts_always_sum(house: House, victim: str, pytestconfig: pytest.Config) -> None:
    for seed in range(pytestconfig.getoption("rounds")):
        name = f"{victim}{seed}"
        chance = Random(name)  # noqa: S311 - chance that can be repeated is what a seed is for
        async with open_desk(house) as desk:
            await play(house, desk, (victim, name), chance)


async def play(house: House, desk: Desk, plan: tuple[str, str], chance: Random) -> None:
    """Kill the victim while one batch is being sent and the next one comes in, and judge both."""
    victim, name = plan
    first = await desk.ask("POST", "/notifications/batch", json=many(name), headers={"Idempotency-Key": name})
    watcher = asyncio.create_task(desk.watch(first["job_id"]))
    await asyncio.sleep(chance.uniform(0.0, 0.5))
    asked = {"json": many(f"{name}b"), "headers": {"Idempotency-Key": f"{name}b"}}
    coming = [asyncio.create_task(desk.ask("POST", "/notifications/batch", **asked)) for _ in range(3)]
    await asyncio.sleep(chance.uniform(0.0, 0.1))
    await house.restart(victim)
    second = {one["job_id"] for one in await asyncio.gather(*coming)}
    assert len(second) == 1
    jobs = [first["job_id"], *second]
    found = await house.rows(
        "SELECT id FROM notifications WHERE job_id = ANY(%s)", [parse_id(JOB, job) for job in jobs]
    )
    ids = [row["id"] for row in found]
    assert len(ids) == 2 * PEOPLE
    await ended(house, ids, PATIENCE_SECONDS)
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)
    assert desk.answers > 1
    assert desk.sums == {PEOPLE}
    for job in jobs:
        last = await desk.ask("GET", f"/jobs/{job}")
        assert (last["status"], last["counts"]["sent"], last["counts"]["failed"]) == (
            "completed",
            PEOPLE - REFUSED,
            REFUSED,
        )
    assert not (await judge(house, ids)).faults
