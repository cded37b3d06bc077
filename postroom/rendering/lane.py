"""A few children side by side, each with one order at a time; whoever is most urgent gets the next one."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from postroom.deliveries.berths import Berths
from postroom.errors import Unavailable
from postroom.rendering.process import Child, Gone

log = logging.getLogger(__name__)


class Lane:
    """Starts children when they are needed, and another one in the place of each that died or is worn."""

    def __init__(self, size: int, niceness: int, silence: float) -> None:
        self.silence = silence
        self._size = size
        self._niceness = niceness
        self._berths = Berths(size)
        self._idle: list[Child] = []
        self._busy: set[Child] = set()

    async def warm(self) -> None:
        """Start what will be needed soon."""
        while len(self._idle) + len(self._busy) < self._size:
            self._idle.append(await self._started())

    @asynccontextmanager
    async def child(self, urgency: int) -> AsyncIterator[Child]:
        """Wait for a child and hold it; one that was not heard to the end is not used again.

        Raises:
            Unavailable: no child can be started.
        """
        async with self._berths.berth("children", urgency):
            child = await self._taken()
            self._busy.add(child)
            sound = False
            try:
                yield child
                sound = True
            finally:
                self._busy.discard(child)
                if sound and not child.is_worn:
                    self._idle.append(child)
                else:
                    await asyncio.shield(child.end())

    async def close(self) -> None:
        """End them all."""
        for child in (*self._idle, *self._busy):
            await child.end()
        self._idle.clear()

    async def _taken(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if not child.is_worn:
                return child
            await child.end()
        return await self._started()

    async def _started(self) -> Child:
        try:
            return await Child.start(self._niceness)
        except (OSError, Gone) as error:
            log.warning("no renderer could be started: %s", type(error).__name__)
            raise Unavailable("No renderer can be started now.", code="renderer_unavailable", retry_after=5) from error
