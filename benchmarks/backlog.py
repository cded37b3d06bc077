"""How fast a backlog drains, ledger and all, beside bare workflows with one activity each on the same server."""

import asyncio
from dataclasses import asdict, dataclass

from benchmarks.bare_engine import Order
from benchmarks.cpu import cpu_seconds_of
from benchmarks.driving import Driver
from benchmarks.figures import Figure, Finding, Goal
from benchmarks.filling import Load, fill
from benchmarks.house import House, ordered
from benchmarks.memory import Memory, memory_findings, watched
from benchmarks.scale import Scale

SECTION = "backlog"
COUNT = 10_000
ROUNDS = 3
BARE_COUNT = 300
BARE_IN_FLIGHT = 100
PATIENCE_SECONDS = 90.0

# From the first carrier to the last settled row, on the database's clock: the worker's start is not in it.
SECONDS = "SELECT extract(epoch FROM max(ended_at) - (SELECT min(created_at) FROM carriers)) FROM notifications"
CARRIERS = "SELECT count(*) FROM carriers"
SENT = "SELECT count(*) FROM notifications WHERE state = 'sent'"


@dataclass(frozen=True, slots=True)
class Drained:
    """One round; CPU of each part in milliseconds for each mail."""

    per_second: float
    cpu: dict[str, float]
    carriers: int
    memory: Memory


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Alternate rounds: bare workflows while nothing of Postroom runs, then a backlog that is already there."""
    count = scale.count(COUNT)
    drained, bare = [], []
    for number in range(scale.rounds(ROUNDS)):
        order = Order(house.engine_address, scale.count(BARE_COUNT), BARE_IN_FLIGHT)
        bare.append(float((await ordered("benchmarks.bare_engine", asdict(order)))["per_second"]))
        drained.append(await drain(house, Load(f"p{number}", count)))
    rates = Figure([one.per_second for one in drained])
    return [
        Finding(
            SECTION,
            f"{count:,} queued e-mails drained, full ledger; bare: workflows",
            "/s",
            rates,
            Figure(bare),
            ratio_goal=Goal(at_least=30),
        ),
        *(
            Finding(SECTION, f"CPU for each, {part}", "ms", Figure([one.cpu[part] for one in drained]))
            for part in ("worker", "postgres", "temporal", "sink")
        ),
        Finding(SECTION, "workflows it took", "carriers", Figure([one.carriers for one in drained])),
        *memory_findings(SECTION, [one.memory for one in drained]),
    ]


async def drain(house: House, load: Load) -> Drained:
    """Fill while no worker runs, then start one; every mail must arrive once and every row must end as sent."""
    await house.empty()
    await fill(house, load)
    async with Driver.open(house) as driver:
        arrivals = driver.expect(load.names)
        async with house.running("worker"), watched(house) as memory:
            pids = {name: child.pid for name, child in house.children.items()} | {"sink": house.sink.process.pid}
            before = cpu_seconds_of(pids)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*arrivals)
            await house.settled()
            cpu = {name: (after - before[name]) * 1_000 / load.count for name, after in cpu_seconds_of(pids).items()}
    assert await house.number(SENT) == load.count
    [(seconds,)] = await house.rows(SECONDS)
    return Drained(load.count / float(seconds), cpu, await house.number(CARRIERS), memory)
