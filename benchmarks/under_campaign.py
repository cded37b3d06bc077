"""How long a critical notification takes from POST to 250 while a campaign runs as fast as it can."""

import time

from benchmarks.bulk import People, emptied, launch, people
from benchmarks.driving import Driver
from benchmarks.figures import Figure, Finding, Goal, percentile
from benchmarks.filling import demo
from benchmarks.house import House
from benchmarks.memory import memory_findings, watched
from benchmarks.scale import Scale
from benchmarks.under_backlog import CRITICAL_PER_SECOND, LONGEST_SECONDS, WARM_UP, arrivals_done

SECTION = "critical-under-campaign"
COUNT = 50_000


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Launch first, then start; send critical ones until everybody has the campaign's mail."""
    everybody = People("v", scale.count(COUNT))
    await house.empty()
    await emptied(house)
    identity = await demo(house)
    await people(house, identity, everybody)
    async with house.running("api"), Driver.open(house) as driver:
        arrivals = driver.expect(everybody.names)
        async with house.running("worker"), watched(house) as memory:
            await driver.send_many("vw", WARM_UP, WARM_UP)
            await launch(house, identity)
            await arrivals[0]
            began, earlier = time.monotonic(), sum(one.done() for one in arrivals)

            def sending() -> bool:
                return time.monotonic() < began + LONGEST_SECONDS and not arrivals_done(arrivals)

            critical = await driver.send_while(sending, "vc", ("critical", CRITICAL_PER_SECOND))
            rate = (sum(one.done() for one in arrivals) - earlier) / (time.monotonic() - began)
    took = critical.milliseconds

    def finding(what: str, share: float, goal: Goal | None = None) -> Finding:
        return Finding(SECTION, what, "ms", Figure([percentile(took, share)]), goal=goal)

    beside = f"{CRITICAL_PER_SECOND}/s critical ({len(took)}) beside {everybody.count:,} of a task"
    return [
        finding(f"POST to 250, p50, {beside}", 0.5),
        finding("POST to 250, p99", 0.99, Goal(below=500)),
        finding("POST to 250, the slowest", 1.0),
        Finding(SECTION, "of the task beside them", "/s", Figure([rate])),
        *memory_findings(SECTION, [memory]),
    ]
