"""How long a critical notification takes from POST to 250 while a campaign runs as fast as it can."""

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from benchmarks.bulk import People, emptied, launch, people
from benchmarks.driving import Driver
from benchmarks.figures import Figure, Finding, Goal, percentile
from benchmarks.filling import demo
from benchmarks.house import House
from benchmarks.memory import memory_findings, watched
from benchmarks.scale import Scale
from benchmarks.under_backlog import CRITICAL_PER_SECOND, LONGEST_SECONDS, WARM_UP, arrivals_done
from postroom.contracts.vocabulary import Carries

SECTION = "critical-under-campaign"
COUNT = 50_000


async def measure(house: House, scale: Scale) -> list[Finding]:
    """One worker for everything, and then bulk sends in a process of their own."""
    count = scale.count(COUNT)
    return [
        *await _beside(house, count, "one worker", {"worker": Carries.EVERYTHING}),
        *await _beside(
            house, count, "a worker each", {"worker": Carries.NOTIFICATIONS, "second-worker": Carries.CAMPAIGNS}
        ),
    ]


async def _beside(house: House, count: int, how: str, staff: Mapping[str, Carries]) -> list[Finding]:
    """Launch first, then start; send critical ones until everybody has the campaign's mail."""
    everybody = People("v", count)
    await house.empty()
    await emptied(house)
    identity = await demo(house)
    await people(house, identity, everybody)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(house.running("api"))
        driver = await stack.enter_async_context(Driver.open(house))
        arrivals = driver.expect(everybody.names)
        for name, carries in staff.items():
            part = replace(house.parts["worker"], name=name)
            staffed = replace(house, parts={**house.parts, name: part})
            await stack.enter_async_context(staffed.running(name, POSTROOM_CARRIES=carries))
        memory = await stack.enter_async_context(watched(house))
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
        return Finding(SECTION, f"{what}, {how}", "ms", Figure([percentile(took, share)]), goal=goal)

    return [
        finding(f"POST to 250, p50, {CRITICAL_PER_SECOND}/s critical ({len(took)}) beside {count:,} of a task", 0.5),
        finding("POST to 250, p99", 0.99, Goal(below=500)),
        finding("POST to 250, the slowest", 1.0),
        Finding(SECTION, f"of the task beside them, {how}", "/s", Figure([rate])),
        *memory_findings(SECTION, [memory]),
    ]
