"""Many that wait for the same moment: how late is the last of them, and how many workflows did the waiting take?"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from benchmarks.driving import Driver
from benchmarks.figures import Figure, Finding
from benchmarks.filling import Load, fill
from benchmarks.house import House
from benchmarks.scale import Scale
from postroom.notifications.schedule import Schedule

SECTION = "wake-up"
COUNT = 20_000
AHEAD = timedelta(seconds=30)  # time to fill, and for the relay to gather them
PATIENCE_SECONDS = 90.0

UNPLACED = "SELECT count(*) FROM notifications WHERE carrier_id IS NULL"
CARRIERS = "SELECT count(*) FROM carriers"


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Fill ahead of the moment, make sure that all of them lie in wake pages by then, and wait for the last."""
    count = scale.count(COUNT)
    await house.empty()
    async with house.running("worker"), Driver.open(house) as driver:
        moment = datetime.now(UTC) + (AHEAD / 2 if scale.quick else AHEAD)
        load = Load("w", count, schedule=Schedule(at=moment))
        arrivals = driver.expect(load.names)
        await fill(house, load)
        while await house.number(UNPLACED):  # noqa: ASYNC110 - a row has no event
            await asyncio.sleep(0.5)
        assert datetime.now(UTC) < moment, "The relay was still gathering when they were due."
        async with asyncio.timeout(moment.timestamp() - time.time() + PATIENCE_SECONDS):
            late = [arrived - moment.timestamp() for arrived in await asyncio.gather(*arrivals)]
        await house.settled()
    assert min(late) >= 0, "One was sent before its time."
    return [
        Finding(SECTION, f"first 250 after the moment that {count:,} waited for", "s", Figure([min(late)])),
        Finding(SECTION, "last 250 after it", "s", Figure([max(late)])),
        Finding(SECTION, "workflows it took", "carriers", Figure([await house.number(CARRIERS)])),
    ]
