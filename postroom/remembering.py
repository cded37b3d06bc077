"""What changes now and then and is asked for with every message: read once for all who ask, and known for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

REMEMBERED = 10_000


class Memory(Generic[Key, Value]):
    """Remembers what was read for some seconds.

    Whoever asks while it is being read waits for that reading, and hears of its failure; a hundred hand-offs would ask
    the same thing at the same moment.
    """

    def __init__(self, read: Callable[[Key], Awaitable[Value]], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._known: dict[Key, tuple[float, Value]] = {}
        self._readings: dict[Key, asyncio.Task[Value]] = {}

    async def of(self, key: Key) -> Value:
        """Return what is known of a key. Raises what reading it raises."""
        known = self._known.get(key)
        if known and time.monotonic() < known[0]:
            return known[1]
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = asyncio.create_task(self._reading(key))
            reading.add_done_callback(_heard)
        return await asyncio.shield(reading)  # who stops waiting takes it from nobody else

    def forget(self, key: Key) -> None:
        """Read it anew next time: something is different, and a reading under way may not have seen it."""
        self._known.pop(key, None)
        self._readings.pop(key, None)

    async def _reading(self, key: Key) -> Value:
        this = asyncio.current_task()
        try:
            value = await self._read(key)
            if self._readings.get(key) is this:
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                self._known[key] = (time.monotonic() + self._seconds, value)
            return value
        finally:
            if self._readings.get(key) is this:
                del self._readings[key]


def _heard(reading: asyncio.Task[Value]) -> None:
    """Look at how it ended, in case nobody waits for it any more."""
    if not reading.cancelled():
        reading.exception()
