"""How long a critical notification takes from POST to 250 while a long backlog of low ones drains."""

import asyncio
import time
from dataclasses import dataclass

from benchmarks.driving import Driver, Journey
from benchmarks.figures import Figure, Finding, Goal, percentile
from benchmarks.filling import Load, fill
from benchmarks.house import House
from benchmarks.memory import Memory, memory_findings, watched
from benchmarks.scale import Scale
from postroom.contracts.vocabulary import Priority

SECTION = "critical-under-backlog"
COUNT = 50_000
CRITICAL_PER_SECOND = 10
WARM_UP = 10
LONGEST_SECONDS = 60.0  # a slower drain is measured for as long as this


@dataclass(frozen=True, slots=True)
class Observed:
    """The critical ones, how fast the low ones drained beside them, and what memory did."""

    critical: Journey
    per_second: float
    memory: Memory


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Fill first, then start; send critical ones until the backlog is gone."""
    load = Load("u", scale.count(COUNT), Priority.LOW)
    seen = await _observe(house, load)
    took = seen.critical.milliseconds

    def finding(what: str, share: float, goal: Goal | None = None) -> Finding:
        return Finding(SECTION, what, "ms", Figure([percentile(took, share)]), goal=goal)

    beside = f"{CRITICAL_PER_SECOND}/s critical ({len(took)}) beside {load.count:,} low"
    return [
        finding(f"POST to 250, p50, {beside}", 0.5),
        finding("POST to 250, p99", 0.99, Goal(below=500)),
        finding("POST to 250, the slowest", 1.0),
        Finding(SECTION, "low ones drained beside them", "/s", Figure([seen.per_second])),
        *memory_findings(SECTION, [seen.memory]),
    ]


async def _observe(house: House, load: Load) -> Observed:
    await house.empty()
    await fill(house, load)
    async with house.running("api"), Driver.open(house) as driver:
        arrivals = driver.expect(load.names)
        async with house.running("worker"), watched(house) as memory:
            await driver.send_many("uw", WARM_UP, WARM_UP)
            began, earlier = time.monotonic(), sum(one.done() for one in arrivals)

            def draining() -> bool:
                return time.monotonic() < began + LONGEST_SECONDS and not arrivals_done(arrivals)

            critical = await driver.send_while(draining, "uc", ("critical", CRITICAL_PER_SECOND))
            drained = sum(one.done() for one in arrivals) - earlier
            seconds = time.monotonic() - began
    return Observed(critical, drained / seconds, memory)


def arrivals_done(arrivals: list[asyncio.Future[float]]) -> bool:
    """Whether all have arrived; asked from the end, which is the last to come."""
    return all(one.done() for one in reversed(arrivals))
