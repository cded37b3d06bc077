"""Those who wait for room at one provider, served by urgency, then in order."""

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from postroom.limits.allowance import Allowance, Full, Meter, Turn, Window
from postroom.limits.block import Block, Token
from postroom.limits.reservations import Request, Reservation
from postroom.loops import end
from postroom.timing import Timing

log = logging.getLogger(__name__)

LARGEST_BLOCK = 1_000

Reserve = Callable[[Request], Awaitable[Reservation]]


@dataclass(order=True, slots=True)
class _Waiting:
    urgency: int
    number: int
    deadline: float = field(compare=False)
    place: asyncio.Future[Token | Full] = field(compare=False)


class Line:
    """Serves tokens from a block and reserves the next block while anybody waits.

    A block grows while it is used up and shrinks when it is not; what is left of it goes back after a second at most.
    """

    def __init__(self, meter: Meter, allowance: Allowance, reserve: Reserve, timing: Timing) -> None:
        self._meter = meter
        self._reserve = reserve
        self._hold = timing.limit_hold.total_seconds()
        self._block = Block()
        self._counted: frozenset[Window] = frozenset()  # the windows whose rows there are
        self._reached = Window.SECOND  # the limit that was reached last, until when, and until when that is believed:
        self._full_until = 0.0  # somebody may give back what he did not use
        self._believed_until = 0.0
        self._waiting: list[_Waiting] = []
        self._asked = 0
        self._bell = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self.allow(allowance)

    @property
    def idle(self) -> bool:
        """Whether nobody waits here and no room is in hand."""
        return self._serving is None

    def allow(self, allowance: Allowance) -> None:
        """Go by these limits from now on."""
        self.allowance = allowance
        self._block.expire()  # what is in hand was counted by other limits
        self._block.pace = 1 / allowance.per_second if allowance.per_second else 0.0

    async def ask(self, turn: Turn) -> Token | Full:
        """Wait for one's turn; `Full` when there is no room within `turn.patience`.

        Raises what reserving raises.
        """
        now = _now()
        if now < self._believed_until and not self._may_wait(turn, now):
            return self._full(now)
        self._asked += 1
        place: asyncio.Future[Token | Full] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, _Waiting(turn.urgency, self._asked, now + turn.patience, place))
        self._rouse()
        try:
            return await place
        except asyncio.CancelledError:
            if not place.cancelled() and place.exception() is None and isinstance(token := place.result(), Token):
                self.give_back(token)  # it was granted in the same moment
            raise

    def give_back(self, token: Token) -> None:
        """Take back a token that nothing was sent for."""
        self._block.give_back(token, _now())
        self._rouse()

    async def close(self) -> None:
        """Serve nobody any more and give back what is left."""
        if self._serving:
            await end(self._serving)
        self._block.expire()
        if self._block.unused:
            await self._renew(0)

    def _rouse(self) -> None:
        self._bell.set()
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        try:
            while self._waiting or self._block.left or self._block.unused:
                self._bell.clear()
                await self._step(_now())
        except Exception as error:  # noqa: BLE001 - whoever waits decides what the failure means
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                if not one.place.done():
                    one.place.set_exception(error)
        finally:
            self._serving = None

    async def _step(self, now: float) -> None:
        block = self._block
        ends = block.until if self._waiting else min(block.until, block.keep_until)
        if block.left and now >= ends:
            block.expire()
        elif block.left and self._waiting and now >= block.next_at:
            self._serve_next(now)
        elif block.left:
            await self._pause((min(block.next_at, ends) if self._waiting else ends) - now)
        elif self._waiting and now < self._believed_until:
            await self._pause(self._believed_until - now)
        else:
            await self._renew(max(len(self._waiting), self._growth) if self._waiting else 0)

    def _serve_next(self, now: float) -> None:
        place = heapq.heappop(self._waiting).place
        if not place.done():
            place.set_result(self._block.take(now))

    async def _renew(self, wanted: int) -> None:
        """Give back what was not used and reserve the next block."""
        block, asked_at = self._block, _now()
        caps = self.allowance.caps
        request = Request(self._meter, self.allowance, wanted, block.hand_over(), new=not caps.keys() <= self._counted)
        got = await self._reserve(request)
        self._counted = frozenset(got.windows)
        if got.count:
            shortest = min(standing.lasts for standing in got.windows.values())
            block.fill(got, asked_at + shortest.total_seconds(), _now() + self._hold)
        elif wanted and got.windows:
            self._turn_away(got, asked_at)

    def _turn_away(self, got: Reservation, asked_at: float) -> None:
        """Nothing is left: remember until when, and let those wait whom the next window can serve in time."""
        full = [Full(window, standing.lasts) for window, standing in got.windows.items() if not standing.room]
        longest = max(full, key=lambda one: one.wait)
        now, self._reached = _now(), longest.window
        if longest.window is Window.DAY and now >= self._full_until:
            log.warning("%s is at its daily limit; what waits is put off to the next day", self._meter.provider)
        self._full_until = asked_at + longest.wait.total_seconds()
        self._believed_until = min(self._full_until, asked_at + self._hold)
        line, self._waiting = sorted(self._waiting), []
        for one in line:
            if one.deadline >= self._full_until and len(self._waiting) < self._seats:
                self._waiting.append(one)
            elif not one.place.done():
                one.place.set_result(self._full(now))

    def _may_wait(self, turn: Turn, now: float) -> bool:
        ahead = sum(one.urgency <= turn.urgency for one in self._waiting)
        return now + turn.patience >= self._full_until and ahead < self._seats

    @property
    def _growth(self) -> int:
        return min(LARGEST_BLOCK, self._block.taken * 2)

    @property
    def _seats(self) -> int:
        return min(self.allowance.caps.values())

    def _full(self, now: float) -> Full:
        return Full(self._reached, timedelta(seconds=max(0.0, self._full_until - now)))

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._bell.wait()
        except TimeoutError:
            return


def _now() -> float:
    return asyncio.get_running_loop().time()
