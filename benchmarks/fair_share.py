"""How long a tenant's small task takes while another tenant's large one is under way, beside its time alone."""

import asyncio
import time

from benchmarks.bulk import People, emptied, launch, neighbour, people
from benchmarks.discard import DiscardProcess
from benchmarks.figures import Figure, Finding
from benchmarks.filling import demo
from benchmarks.house import House
from benchmarks.scale import Scale
from benchmarks.sending import POLL_SECONDS, followed, working

SECTION = "fair-share"
SMALL = 1_000
LARGE = 50_000
ROUNDS = 3
UNDER_WAY = "SELECT coalesce(max(seq), 0) FROM deliveries WHERE task_id IS NOT NULL AND state = 'accepted'"


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Send the small one alone, then behind the start of a large one; the rest of that is left alone."""
    small, large = SMALL, scale.count(LARGE)
    alone, beside = [], []
    async with DiscardProcess.open() as sink:
        for _ in range(scale.rounds(ROUNDS)):
            alone.append(await _took(house, sink, small, 0))
            beside.append(await _took(house, sink, small, large))
    what = f"a task of {small:,} beside another tenant's {large:,}, from launch to its end; bare: alone"
    return [Finding(SECTION, what, "s", Figure(beside), Figure(alone))]


async def _took(house: House, sink: DiscardProcess, small: int, large: int) -> float:
    await emptied(house)
    one, other = await demo(house), await neighbour(house)
    await people(house, one, People("s", small))
    await people(house, other, People("l", large))
    async with working(house, sink):
        if large:
            await launch(house, other)
            while not await house.number(UNDER_WAY):  # noqa: ASYNC110 - a row has no event
                await asyncio.sleep(POLL_SECONDS)
        began = time.monotonic()
        return (await followed(house, await launch(house, one))).ended - began
