"""Does a task ten times as large take ten times as long, and no more? And what do its workflow and its parts hold?"""

from collections.abc import Sequence

from benchmarks.asking import waits
from benchmarks.discard import DiscardProcess
from benchmarks.figures import Figure, Finding, Goal
from benchmarks.house import House
from benchmarks.memory import memory_findings
from benchmarks.scale import Scale
from benchmarks.sending import Sent, send

SECTION = "campaign-growth"
MILLION_SECTION = "campaign-million"
COUNTS = (10_000, 100_000)
MILLION = (10_000, 1_000_000)
UNIT = 10_000  # recipients
LINEAR = Goal(below=1.1)  # the large one over the small one, for each 10,000
EVENTS = Goal(below=5_001)


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Ten thousand, then a hundred thousand."""
    return await _grown(house, SECTION, [scale.count(count) for count in COUNTS])


async def measure_million(house: House, scale: Scale) -> list[Finding]:
    """Ten thousand, then a million; takes its time."""
    return await _grown(house, MILLION_SECTION, [scale.count(count) for count in MILLION])


async def _grown(house: House, section: str, counts: Sequence[int]) -> list[Finding]:
    async with DiscardProcess.open() as sink:
        small, large = [await send(house, sink, count) for count in counts]
        looks = await waits(house)
    sizes = f"{large.count:,} recipients; bare: {small.count:,}"

    def finding(what: str, ours: float, bare: float, goal: Goal | None = None) -> Finding:
        return Finding(section, what, "s", Figure([ours]), Figure([bare]), ratio_goal=goal)

    return [
        finding(f"sending each 10,000 of {sizes}", _each(large, large.sending), _each(small, small.sending), LINEAR),
        finding("freezing each 10,000 of them", _each(large, large.freezing), _each(small, small.freezing)),
        Finding(section, "events of the workflow of the large one", "events", Figure([large.events]), goal=EVENTS),
        *(Finding(section, f"waiting for {what}", "s", seconds) for what, seconds in looks.items()),
        *memory_findings(section, [large.memory]),
    ]


def _each(sent: Sent, seconds: float) -> float:
    return seconds * UNIT / sent.count
