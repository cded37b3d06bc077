"""Berths for pages: each tenant hands off few of them at a time over one channel, the most urgent first."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count


@dataclass(order=True, slots=True)
class _Waiting:
    urgency: tuple[int, int]
    turn: asyncio.Future[None] = field(compare=False)


@dataclass(slots=True)
class _Quay:
    taken: int = 0
    waiting: list[_Waiting] = field(default_factory=list)


class Berths:
    """At most `size` at once for each key. More pages at work send no faster: they only hold rows and memory."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._quays: dict[Hashable, _Quay] = {}
        self._number = count()

    @asynccontextmanager
    async def berth(self, key: Hashable, urgency: int) -> AsyncIterator[Callable[[], None]]:
        """Wait for a berth and hold it until left, or until `leave`, which this yields, is called before that.

        The lower the urgency the sooner, and equals in the order they came.
        """
        quay = self._quays.setdefault(key, _Quay())
        if quay.taken < self._size:
            quay.taken += 1
        else:
            await self._turn(quay, urgency)
        held = True

        def leave() -> None:
            nonlocal held
            if held:
                held = False
                self._leave(key, quay)

        try:
            yield leave
        finally:
            leave()

    async def _turn(self, quay: _Quay, urgency: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(quay.waiting, _Waiting((urgency, next(self._number)), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                _pass_on(quay)
            raise

    def _leave(self, key: Hashable, quay: _Quay) -> None:
        _pass_on(quay)
        if not quay.taken:
            self._quays.pop(key, None)


def _pass_on(quay: _Quay) -> None:
    """Give the berth to whoever waits, as far as they still do."""
    while quay.waiting:
        turn = heapq.heappop(quay.waiting).turn
        if not turn.done():
            turn.set_result(None)
            return
    quay.taken -= 1
