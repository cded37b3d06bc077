"""A bulk send through the whole product, beside a bare aiosmtplib loop and beside itself without the mark; same sink."""

import asyncio
import time
from dataclasses import dataclass, replace
from uuid import UUID

from temporalio.client import Client

from benchmarks.bulk import EMPTY, Letter, launch, people
from benchmarks.cpu import cpu_seconds_of
from benchmarks.discard import DiscardProcess
from benchmarks.figures import Figure, Finding, Goal
from benchmarks.filling import demo
from benchmarks.hand_off import Field, bare_round
from benchmarks.house import House
from benchmarks.memory import Memory, memory_findings, watched
from benchmarks.scale import Scale
from postroom.identity import task_workflow_id
from postroom.local.stack import python

SECTION = "campaign"
COUNT = 20_000
ROUNDS = 3
BARE_COUNT = 6_000
CONNECTIONS = 64
PATIENCE_SECONDS = 600.0
POLL_SECONDS = 0.1

# From the frozen audience to the last of it, on the database's clock; freezing is told by itself.
TIMES = """
SELECT extract(epoch FROM frozen_at - started_at), extract(epoch FROM ended_at - frozen_at), state, audience, totals
FROM campaign_tasks ORDER BY id DESC LIMIT 1
"""
OPEN = "SELECT count(*) FROM campaign_tasks WHERE ended_at IS NULL"
ACCEPTED = "SELECT count(*) FROM deliveries WHERE task_id IS NOT NULL AND state = 'accepted'"


@dataclass(frozen=True, slots=True)
class Sent:
    """One bulk send: mails per second once the audience was frozen, how long that took, CPU in ms for each mail."""

    per_second: float
    freezing: float
    cpu: dict[str, float]
    events: int
    memory: Memory


async def measure(house: House, scale: Scale) -> list[Finding]:
    """Alternate rounds: the bare loop, the product, the product without its mark."""
    count = scale.count(COUNT)
    async with DiscardProcess.open() as sink:
        bare, ours, unmarked = [], [], []
        for _ in range(scale.rounds(ROUNDS)):
            bare.append((await Field(sink, CONNECTIONS).timed(bare_round(Field(sink, CONNECTIONS), BARE_COUNT))).per_second)
            ours.append(await send(house, sink, count))
            unmarked.append((await send(house, sink, count, "benchmarks.unmarked")).per_second)
    rates = Figure([one.per_second for one in ours])
    return [
        Finding(SECTION, f"{count:,} recipients of a task; bare: aiosmtplib loop", "/s", rates, Figure(bare), ratio_goal=Goal(at_least=1.5)),
        Finding(SECTION, "the same; bare: this code without the mark", "/s", rates, Figure(unmarked)),
        Finding(SECTION, "freezing the audience", "s", Figure([one.freezing for one in ours])),
        *(
            Finding(SECTION, f"CPU for each, {part}", "ms", Figure([one.cpu[part] for one in ours]))
            for part in ("worker", "postgres", "temporal", "sink")
        ),
        Finding(SECTION, "events of its workflow", "events", Figure([one.events for one in ours])),
        *memory_findings(SECTION, [one.memory for one in ours]),
    ]


async def send(house: House, sink: DiscardProcess, count: int, module: str = "worker") -> Sent:
    """Send one task to so many people and return once each of them is accounted for."""
    async with house.connection() as connection:
        await connection.execute(EMPTY)
        await connection.execute("CHECKPOINT")
    await people(house, "p", count)
    task = await launch(house, Letter(), {"everyone": True})
    house = replace(house, parts={**house.parts, "worker": replace(house.parts["worker"], command=python(module))}) if module != "worker" else house
    environment = {"SMTP_URL": f"smtp://127.0.0.1:{sink.port}", "POSTROOM_CAMPAIGN_CONNECTIONS": str(CONNECTIONS)}
    async with house.running("worker", **environment), watched(house) as memory:
        pids = {name: child.pid for name, child in house.children.items()} | {"sink": sink.pid}
        before = cpu_seconds_of(pids)
        began = time.monotonic()
        while await house.number(OPEN):
            assert time.monotonic() < began + PATIENCE_SECONDS
            await asyncio.sleep(POLL_SECONDS)
        cpu = {name: (after - before[name]) * 1_000 / count for name, after in cpu_seconds_of(pids).items()}
        events = await _events(house, task)
    [(freezing, sending, state, audience, _)] = await house.rows(TIMES)
    assert (state, audience) == ("completed", count)
    assert await house.number(ACCEPTED) == count
    return Sent(count / float(sending), float(freezing), cpu, events, memory)


async def _events(house: House, task_id: UUID) -> int:
    client = await Client.connect(house.engine_address)
    identity = await demo(house)
    described = await client.get_workflow_handle(task_workflow_id(identity.tenant_slug, task_id)).describe()
    return described.history_length
