"""How long a critical notification takes from POST to 250 while ordinary ones keep the house busy."""

import asyncio

from benchmarks.driving import Driver
from benchmarks.figures import Figure, Finding, Goal, percentile
from benchmarks.house import House
from benchmarks.scale import Scale

SECONDS = 20
BACKGROUND_PER_SECOND = 20
CRITICAL_PER_SECOND = 10
WARM_UP = 30


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Send both at their pace; the clock stops in the sink's log."""
    await house.empty()
    async with house.running("api"), house.running("worker"), Driver.open(house) as driver:
        await driver.send_many("cw", WARM_UP, WARM_UP)
        await house.settled()
        ordinary, critical = await asyncio.gather(
            driver.send_steadily("co", "medium", (scale.count(SECONDS * BACKGROUND_PER_SECOND), BACKGROUND_PER_SECOND)),
            driver.send_steadily("cc", "critical", (scale.count(SECONDS * CRITICAL_PER_SECOND), CRITICAL_PER_SECOND)),
        )
        await house.settled()
    load = f"{CRITICAL_PER_SECOND}/s critical beside {BACKGROUND_PER_SECOND}/s medium"

    def finding(what: str, milliseconds: list[float], share: float, goal: Goal | None = None) -> Finding:
        return Finding("critical", what, "ms", Figure([percentile(milliseconds, share)]), goal=goal)

    return [
        finding(f"POST to 250, p50, {load}", critical.milliseconds, 0.5),
        finding("POST to 250, p99, critical", critical.milliseconds, 0.99, Goal(below=500)),
        finding("POST to 250, p99, medium beside it", ordinary.milliseconds, 0.99),
    ]
