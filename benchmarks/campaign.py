"""A bulk send through the whole product, beside a bare aiosmtplib loop and itself without the mark; same sink."""

from benchmarks.discard import DiscardProcess
from benchmarks.figures import Figure, Finding, Goal
from benchmarks.hand_off import Field, bare_round
from benchmarks.house import House
from benchmarks.memory import memory_findings
from benchmarks.scale import Scale
from benchmarks.sending import CONNECTIONS, TWO, UNMARKED, Sent, send

SECTION = "campaign"
COUNT = 20_000
ROUNDS = 3
BARE_COUNT = 6_000
PARTS = ("worker", "postgres", "temporal", "sink")


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Alternate rounds: the bare loop, the product, the product without its mark, and with two workers."""
    count = scale.count(COUNT)
    bare: list[float] = []
    ours: list[Sent] = []
    unmarked: list[float] = []
    paired: list[float] = []
    async with DiscardProcess.open() as sink:
        field = Field(sink, CONNECTIONS)
        for _ in range(scale.rounds(ROUNDS)):
            bare.append((await field.timed(bare_round(field, BARE_COUNT))).per_second)
            ours.append(await send(house, sink, count))
            unmarked.append((await send(house, sink, count, UNMARKED)).per_second)
            paired.append((await send(house, sink, count, TWO)).per_second)
    rates = Figure([one.per_second for one in ours])
    what, goal = f"{count:,} recipients of a task; bare: aiosmtplib loop", Goal(at_least=1.5)
    return [
        Finding(SECTION, what, "/s", rates, Figure(bare), ratio_goal=goal),
        Finding(SECTION, "the same; bare: this code without the mark", "/s", rates, Figure(unmarked)),
        Finding(SECTION, "the same with two workers; bare: with one", "/s", Figure(paired), rates),
        *(Finding(SECTION, f"CPU for each, {part}", "ms", Figure([one.cpu[part] for one in ours])) for part in PARTS),
        Finding(SECTION, "CPU for each, all of it", "ms", Figure([sum(one.cpu.values()) for one in ours])),
        *memory_findings(SECTION, [one.memory for one in ours]),
    ]
