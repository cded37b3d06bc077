"""One receiver as this process knows it: its circuit, its rate, and the few places it has."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from uuid import UUID

from postroom.channels.base import Answer, Phase, Verdict
from postroom.channels.webhook.circuit import Circuit
from postroom.timing import Timing

PLACES = 5  # hand-offs to one endpoint side by side
PLACES_OF_A_HOST = 20  # and to one host, whoever names it: nobody's server is flooded through many endpoints
PLACES_OF_A_TENANT = 20  # and of one tenant: many slow endpoints of one leave the others their slots
QUICK_SECONDS = 0.5  # a receiver that answers within this is worth a moment's wait in line
MINUTE = 60.0
MARGIN_SECONDS = 0.1  # between our clock and the database's, which says when a wait is over
REMEMBERED = 10_000


class Places:
    """So many at once."""

    def __init__(self, size: int) -> None:
        self._free = asyncio.Semaphore(size)
        self._taken = 0

    @property
    def idle(self) -> bool:
        """Whether nobody is in."""
        return self._taken == 0

    async def take(self, patience: float) -> bool:
        """Take a place at once or within the given seconds; False when there was none."""
        if self._free.locked() and patience == 0.0:
            return False
        try:
            async with asyncio.timeout(patience):
                await self._free.acquire()
        except TimeoutError:
            return False
        self._taken += 1
        return True

    def give_back(self) -> None:
        """Leave it."""
        self._taken -= 1
        self._free.release()


class Destination:
    """The way to one endpoint. Whoever entered must leave; whoever may not enter is told when to come back."""

    def __init__(self, timing: Timing, shared: Sequence[Places]) -> None:
        """Take the places it shares with others: those of its host and of its tenant."""
        self.circuit = Circuit(timing)
        self.shared = shared
        self._timing = timing
        self._places = Places(PLACES)
        self._sent: deque[float] = deque()
        self._began: dict[object, float] = {}
        self._usual = 0.0
        self._waiting: dict[object, float] = {}  # who was turned away, and until when, in the order they were

    @property
    def idle(self) -> bool:
        """Whether forgetting it would lose nothing."""
        return self._places.idle and self.circuit.reason is None and self._room(1) == 0.0

    async def enter(self, visitor: object, rate: int) -> Answer | None:
        """Let a message through, or say why not now and when to come back; `rate` is what a minute may hold."""
        if refusal := self._closed() or self._over(visitor, rate):
            return refusal
        if not await self._take_places():
            return self._crowded(visitor)
        refusal = self._over(visitor, rate)  # asked again: others went while this one waited
        if refusal is None and not self.circuit.enter():
            refusal = self._closed()
        if refusal is not None:
            self._free()
            return refusal
        self._waiting.pop(visitor, None)
        self._began[visitor] = _now()
        self._sent.append(_now())
        return None

    def leave(self, visitor: object, answer: Answer | None, *, sent: bool) -> None:
        """End a visit; what was not sent does not count against the rate."""
        self._free()
        began = self._began.pop(visitor, _now())  # its double, of a pass that was given up, may have left before
        self._usual += (_now() - began - self._usual) / 4
        if not sent and self._sent:
            self._sent.pop()
        self.circuit.leave(answer)

    async def _take_places(self) -> bool:
        """Take a place everywhere or nowhere, also when the wait for one is cut short."""
        with ExitStack() as taken:
            for places in (self._places, *self.shared):
                if not await places.take(self._patience()):
                    return False
                taken.callback(places.give_back)
            taken.pop_all()
        return True

    def _free(self) -> None:
        for places in (self._places, *self.shared):
            places.give_back()

    def _closed(self) -> Answer | None:
        if self.circuit.wait == 0:
            return None
        return not_now(self.circuit.reason or "destination_failing", self.circuit.wait)

    def _over(self, visitor: object, rate: int) -> Answer | None:
        """Over the rate each is told a time of its own at which there is room."""
        if self._room(rate) == 0.0:
            return None
        ahead = self._ahead_of(visitor)
        at = self._sent[ahead % rate - rate] + MINUTE * (1 + ahead // rate) + MARGIN_SECONDS
        self._waiting[visitor] = at
        return not_now("rate_limited", at - _now())

    def _room(self, rate: int) -> float:
        """Seconds until one more fits into the last minute."""
        while self._sent and self._sent[0] <= _now() - MINUTE:
            self._sent.popleft()
        return 0.0 if len(self._sent) < rate else self._sent[-rate] + MINUTE - _now()

    def _ahead_of(self, visitor: object) -> int:
        """How many others wait for their time; those who never came back are forgotten after a minute."""
        self._waiting.pop(visitor, None)
        while self._waiting and (first := next(iter(self._waiting.items())))[1] < _now() - MINUTE:
            del self._waiting[first[0]]
        return len(self._waiting)

    def _crowded(self, visitor: object) -> Answer:
        """Say when its turn will come, as far as the receiver's usual pace tells."""
        turn = self._usual * (1 + self._ahead_of(visitor) / PLACES)
        turn = max(self._timing.place_pause.total_seconds(), turn)
        turn = min(self._timing.place_pause_last.total_seconds(), turn)
        self._waiting[visitor] = _now() + turn
        return not_now("destination_busy", turn)

    def _patience(self) -> float:
        """Waiting in line holds a slot of a pass: only where places come free quickly."""
        oldest = min(self._began.values(), default=_now())
        quick = max(self._usual, _now() - oldest) <= QUICK_SECONDS
        return self._timing.place_patience.total_seconds() if quick else 0.0


class Destinations:
    """The receivers this process knows, for all of its senders."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self._known: dict[tuple[UUID, str], Destination] = {}
        self._hosts: dict[str, Places] = {}
        self._tenants: dict[UUID, Places] = {}

    def of(self, tenant_id: UUID, endpoint_id: UUID, host: str) -> Destination:
        """Return the way to an endpoint."""
        if len(self._known) >= REMEMBERED:
            self._forget()
        known = self._known.get((endpoint_id, host))
        if known is None:
            ours = self._tenants.setdefault(tenant_id, Places(PLACES_OF_A_TENANT))
            theirs = self._hosts.setdefault(host, Places(PLACES_OF_A_HOST))
            known = self._known[endpoint_id, host] = Destination(self.timing, (theirs, ours))
        return known

    def _forget(self) -> None:
        """Keep those that have something to remember, and the places these share."""
        self._known = {name: one for name, one in self._known.items() if not one.idle}
        kept = {id(places) for one in self._known.values() for places in one.shared}
        self._hosts = {host: places for host, places in self._hosts.items() if id(places) in kept}
        self._tenants = {tenant: places for tenant, places in self._tenants.items() if id(places) in kept}


def not_now(reason: str, wait: float) -> Answer:
    """An answer that says nothing about the message but when to come back."""
    return Answer(Verdict.BUSY, Phase.CONNECT, reason, retry_after=timedelta(seconds=wait))


def _now() -> float:
    return asyncio.get_running_loop().time()
