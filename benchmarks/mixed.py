"""All four priorities at once: a burst of thousands and a steady trickle, each against its own deadline."""

import asyncio

from benchmarks.driving import Driver
from benchmarks.figures import Figure, Finding, Goal
from benchmarks.filling import Load, fill
from benchmarks.house import House
from benchmarks.scale import Scale
from postroom.contracts.vocabulary import Priority

SECTION = "mixed"
SECONDS = 20
PER_SECOND = 5  # of each priority
WARM_UP = 20
BURST = {Priority.HIGH: 2_000, Priority.MEDIUM: 4_000, Priority.LOW: 10_000}
DEADLINES = {Priority.CRITICAL: 1.0, Priority.HIGH: 60.0, Priority.MEDIUM: 300.0, Priority.LOW: 1_800.0}

# From the moment of acceptance to the recorded 250, both on the database's clock.
LATENCIES = """
SELECT n.priority, count(*), percentile_disc(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM a.at - n.created_at))
FROM notifications n JOIN deliveries d ON d.notification_id = n.id
JOIN delivery_attempts a ON a.delivery_id = d.id AND a.event = 'accepted'
WHERE n.user_id NOT LIKE 'mw-%' GROUP BY n.priority
"""


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Let the burst meet the trickle, and wait until everything has arrived."""
    await house.empty()
    async with house.running("api"), house.running("worker"), Driver.open(house) as driver:
        await driver.send_many("mw", WARM_UP, WARM_UP)
        await house.settled()
        trickle = (scale.count(SECONDS * PER_SECOND), PER_SECOND)
        await asyncio.gather(
            *(driver.send_steadily(f"mt{int(one)}", one.label, trickle) for one in DEADLINES),
            *(_burst(house, driver, Load(f"mb{int(one)}", scale.count(n), one)) for one, n in BURST.items()),
        )
        await house.settled()
    found = {Priority(priority): (count, float(p99)) for priority, count, p99 in await house.rows(LATENCIES)}
    return [
        Finding(
            SECTION,
            f"acceptance to 250, p99 of {found[priority][0]:,} {priority.label}",
            "s",
            Figure([found[priority][1]]),
            goal=Goal(below=deadline),
        )
        for priority, deadline in DEADLINES.items()
    ]


async def _burst(house: House, driver: Driver, load: Load) -> None:
    arrivals = driver.expect(load.names)
    await fill(house, load)
    await asyncio.gather(*arrivals)
