"""One call for many users: how long from its POST to the last 250."""

import asyncio
import time
from http import HTTPStatus

from benchmarks.driving import Driver
from benchmarks.figures import Figure, Finding, Goal
from benchmarks.filling import fill_contacts
from benchmarks.house import House
from benchmarks.letters import batch
from benchmarks.scale import Scale

SECTION = "batch"
PATH = "/api/v1/notifications/batch"
COUNT = 1_000
ROUNDS = 5
WARM_UP = 30
PATIENCE_SECONDS = 60.0


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Send to people who are known by their user_id, a second apart so that nothing is left of the round before."""
    count = scale.count(COUNT)
    seconds = []
    await house.empty()
    async with house.running("api"), house.running("worker"), Driver.open(house) as driver:
        await driver.send_many("bw", WARM_UP, WARM_UP)
        for number in range(scale.rounds(ROUNDS)):
            names = [f"b{number}-{one}" for one in range(count)]
            await fill_contacts(house, names)
            await house.settled()
            seconds.append(await _batch(driver, names))
        await house.settled()
    what = f"a batch of {count:,} users from the POST to the last 250"
    return [Finding(SECTION, what, "s", Figure(seconds), goal=Goal(below=2))]


async def _batch(driver: Driver, names: list[str]) -> float:
    arrivals = driver.expect(names)
    request = batch(PATH, driver.bearer, names)
    posted = time.time()
    status = await driver.ask(request)
    assert status == HTTPStatus.ACCEPTED, f"The API answered {status}"
    async with asyncio.timeout(PATIENCE_SECONDS):
        return max(await asyncio.gather(*arrivals)) - posted
