"""Renders for everybody: each tenant with one child at a time, and who held others up waits in a lane of their own."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

from postroom.contracts.vocabulary import Priority
from postroom.deliveries.berths import Berths
from postroom.errors import Unavailable
from postroom.loops import end
from postroom.rendering.frames import Spoken
from postroom.rendering.lane import Lane
from postroom.rendering.limits import BATCH, BATCH_CHARACTERS, CPU_SECONDS, LOWEST
from postroom.rendering.process import Gone
from postroom.rendering.speech import Line
from postroom.rendering.trouble import Code, Trouble

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# Seconds without a word; the kernel counts a child's computing, these are for one that does not even compute. Who has
# the lowest priority may have to wait for a turn of the processor itself.
SILENCE = 30.0
LONG_SILENCE = 600.0
ANSWER = 4.5  # seconds that a caller of the API waits, who is answered within six
TRIES = 3  # children that may die, or fail to start, under one message's neighbours before we are the trouble
DISGRACE = 60.0  # seconds in which a tenant whose template met a bound renders when nobody else wants to

# What costs others something before it is refused.
BOUNDS = frozenset({Code.TIMEOUT, Code.TOO_LARGE, Code.TOO_EXPENSIVE, Code.TOO_COMPLEX})
KILLED = Trouble(Code.TIMEOUT, f"Rendering takes more than {CPU_SECONDS:g} s of computing, or too much memory.")


class Renderer:
    """The children of one process: some for everybody, and a slow one for tenants in disgrace."""

    def __init__(self, children: int) -> None:
        self._ordinary = Lane(children, 0, SILENCE)
        self._slow = Lane(1, LOWEST, LONG_SILENCE)
        self._turns = Berths(1)
        self._disgraced: dict[UUID, float] = {}
        self._warming: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def open(self, *, warm: bool) -> AsyncIterator["Renderer"]:
        """Hold the children until the process ends; warm, they are started before anybody asks."""
        if warm:
            self._warming = asyncio.create_task(self._warm())
        try:
            yield self
        finally:
            if self._warming:
                await end(self._warming)
            await self._ordinary.close()
            await self._slow.close()

    async def speak(self, tenant_id: UUID, lines: Sequence[Line], priority: Priority = Priority.MEDIUM) -> list[Spoken]:
        """Speak every line, in the order given, whatever becomes of its neighbours.

        Raises:
            Unavailable: no child can be started, or one after the other dies for no fault of a line.
        """
        spoken: list[Spoken] = []
        for batch in batches(lines):
            async with self._turns.berth(tenant_id, priority):
                spoken += await self._spoken(tenant_id, batch, priority)
        return spoken

    async def examine(self, tenant_id: UUID, texts: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
        """Look at texts before they are kept; each is a field and a source.

        Raises:
            Unavailable: no child can be started.
        """
        async with self._turns.berth(tenant_id, Priority.MEDIUM):
            lane = self._lane(tenant_id)
            try:
                async with lane.child(Priority.MEDIUM) as child:
                    found = await child.examine(texts, lane.silence)
            except Gone:
                found = {"slow": True}
        if "slow" in found or any(one and one["code"] in BOUNDS for one in found["troubles"]):
            self._disgrace(tenant_id)
        return found

    async def _spoken(self, tenant_id: UUID, batch: Sequence[Line], priority: Priority) -> list[Spoken]:
        """Speak a batch at once; what is left when a child dies is spoken one by one, which finds the culprit."""
        spoken: list[Spoken] = []
        await self._try(tenant_id, batch, priority, spoken)
        while len(spoken) < len(batch):
            line, before = batch[len(spoken)], len(spoken)
            for _ in range(TRIES - 1):
                await self._try(tenant_id, [line], priority, spoken)
                if len(spoken) > before:
                    break
            else:
                spoken.append(KILLED)
                self._disgrace(tenant_id)
        return spoken

    async def _try(self, tenant_id: UUID, lines: Sequence[Line], priority: Priority, spoken: list[Spoken]) -> None:
        lane = self._lane(tenant_id)
        try:
            async with lane.child(priority) as child:
                async for some in child.speak(lines, lane.silence):
                    spoken += some
                    if any(isinstance(one, Trouble) and one.code in BOUNDS for one in some):
                        self._disgrace(tenant_id)
        except Gone:
            log.warning("a renderer died; what it had not spoken yet is tried again, one by one")

    def _lane(self, tenant_id: UUID) -> Lane:
        until = self._disgraced.get(tenant_id, 0.0)
        if until > time.monotonic():
            return self._slow
        self._disgraced.pop(tenant_id, None)
        return self._ordinary

    def _disgrace(self, tenant_id: UUID) -> None:
        self._disgraced[tenant_id] = time.monotonic() + DISGRACE

    async def _warm(self) -> None:
        try:
            await self._ordinary.warm()
        except Unavailable:
            log.warning("renderers are started when they are needed")


async def in_time(asked: Awaitable[Answer]) -> Answer:
    """Wait for what a caller of the API is waiting for in turn.

    Raises:
        Unavailable: it takes too long, because others or the caller's own earlier templates keep the renderers busy.
    """
    try:
        async with asyncio.timeout(ANSWER):
            return await asked
    except TimeoutError:
        sentence = "No renderer came to this in time."
        raise Unavailable(sentence, code="renderer_unavailable", retry_after=5) from None


def batches(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    """Cut a page into what crosses the pipe at once."""
    begin, weight = 0, 0
    for at, line in enumerate(lines):
        if at - begin >= BATCH or weight > BATCH_CHARACTERS:
            yield lines[begin:at]
            begin, weight = at, 0
        weight += line.weight
    if begin < len(lines):
        yield lines[begin:]
