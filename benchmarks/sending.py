"""Sends one task through the whole product and tells how long it took, what it cost, and what its workflow wrote."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from temporalio.client import Client

from benchmarks.bulk import People, emptied, launch, people
from benchmarks.cpu import cpu_seconds_of
from benchmarks.discard import DiscardProcess
from benchmarks.filling import demo
from benchmarks.house import House
from benchmarks.memory import Memory, watched
from postroom.identity import task_workflow_id
from postroom.local.stack import python
from postroom.tenants.gate import Identity

CONNECTIONS = 64
PATIENCE_SECONDS = 3_600.0
POLL_SECONDS = 0.05

STAND = """
SELECT NOT owed AS looked, frozen_at IS NOT NULL AS frozen, ended_at IS NOT NULL AS ended, state, audience
FROM campaign_tasks WHERE id = %(task)s
"""
ACCEPTED = "SELECT count(*) FROM deliveries WHERE task_id IS NOT NULL AND state = 'accepted'"


@dataclass(frozen=True, slots=True)
class Course:
    """When its workflow first looked, when its audience stood, when it was over; seconds of a clock."""

    looked: float
    frozen: float
    ended: float


@dataclass(frozen=True, slots=True)
class Sent:
    """One bulk send: seconds of freezing and of all that followed, CPU in milliseconds for each mail by part."""

    count: int
    freezing: float
    sending: float
    cpu: dict[str, float]
    events: int
    memory: Memory

    @property
    def per_second(self) -> float:
        """Mails accounted for in a second, once the audience was frozen."""
        return self.count / self.sending


@dataclass(frozen=True, slots=True)
class Staff:
    """Who sends: the module that is run as the worker, and how many of them share the connections."""

    module: str = "worker"
    workers: int = 1


ONE = Staff()
TWO = Staff(workers=2)
UNMARKED = Staff("benchmarks.unmarked")


async def send(house: House, sink: DiscardProcess, count: int, staff: Staff = ONE) -> Sent:
    """Send one task to so many people and return once each of them is accounted for."""
    await emptied(house)
    identity = await demo(house)
    await people(house, identity, People("p", count))
    async with working(house, sink, staff), watched(house) as memory:
        pids = {name: child.pid for name, child in house.children.items()} | {"sink": sink.pid}
        before = cpu_seconds_of(pids)
        task = await launch(house, identity)
        course = await followed(house, task)
        cpu = {name: (after - before[name]) * 1_000 / count for name, after in cpu_seconds_of(pids).items()}
        events = await _events(house, identity, task)
    assert await house.number(ACCEPTED) == count
    return Sent(count, course.frozen - course.looked, course.ended - course.frozen, cpu, events, memory)


@asynccontextmanager
async def working(house: House, sink: DiscardProcess, staff: Staff = ONE) -> AsyncIterator[None]:
    """Run workers that send to this sink, until left."""
    told = {
        "SMTP_URL": f"smtp://127.0.0.1:{sink.port}",
        "POSTROOM_CAMPAIGN_CONNECTIONS": str(CONNECTIONS // staff.workers),
    }
    async with AsyncExitStack() as stack:
        for name in ("worker", "second-worker")[: staff.workers]:
            part = replace(house.parts["worker"], name=name, command=python(staff.module))
            staffed = replace(house, parts={**house.parts, name: part})
            await stack.enter_async_context(staffed.running(name, **told))
        yield


async def followed(house: House, task: UUID) -> Course:
    """Wait until a task is over, and everybody was sent to."""
    seen: dict[str, float] = {}
    began = time.monotonic()
    async with house.connection() as connection:
        while "ended" not in seen:
            assert time.monotonic() < began + PATIENCE_SECONDS
            row = await (await connection.execute(STAND, {"task": task})).fetchone()
            assert row is not None
            *marks, state, _audience = row
            for name, reached in zip(("looked", "frozen", "ended"), marks, strict=True):
                if reached:
                    seen.setdefault(name, time.monotonic())
            await asyncio.sleep(POLL_SECONDS)
    assert state == "completed", state
    return Course(seen.get("looked", began), seen["frozen"], seen["ended"])


async def _events(house: House, identity: Identity, task_id: UUID) -> int:
    client = await Client.connect(house.engine_address)
    described = await client.get_workflow_handle(task_workflow_id(identity.tenant_slug, task_id)).describe()
    return described.history_length
