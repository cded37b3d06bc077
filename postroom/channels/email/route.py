"""The way to one provider: its breaker, its connections, and the letters that wait for them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from postroom.channels.base import Answer, Mark, Parcel
from postroom.channels.email.breaker import Breaker
from postroom.channels.email.connection import Dialer
from postroom.channels.email.conversation import Letter
from postroom.channels.email.courier import Courier, Way
from postroom.channels.email.drops import Drops
from postroom.channels.email.errand import Errand, Queue
from postroom.channels.email.pool import Pool
from postroom.channels.email.providers import Provider
from postroom.timing import Timing


@dataclass(frozen=True, slots=True)
class EmailOptions:
    """What the deployment decides.

    `domain` is ours: it ends every Message-ID and is said in EHLO. `connections` is the cap per provider.
    `evidence_url` is the journal of the relay named `evidence_provider`: of messages that another provider had, it can
    prove that it has them, but not that nobody has. Without a name it speaks for all. `return_path` makes the envelope
    sender of a parcel, to which its bounces go; without one they go to the sender of the mail.
    """

    domain: str
    connections: int
    evidence_url: str | None = None
    evidence_provider: str | None = None
    return_path: Callable[[Parcel], Awaitable[str | None]] | None = None


class Route:
    """The way to one provider, shared by everybody who uses it; as many couriers as it may have connections."""

    def __init__(self, provider: Provider, timing: Timing, options: EmailOptions) -> None:
        self.breaker = Breaker(timing)
        self.pool = Pool(Dialer(provider, timing, options.domain))
        self._queue = Queue()
        self._way = Way(self._queue, self.pool, self.breaker, timing, self._call, Drops())
        self._size = provider.connections or options.connections
        self._couriers: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """Whether forgetting it would cost nothing: nobody is on the way, nothing rests, nobody has to be kept away."""
        return not self._couriers and self.pool.empty and self.breaker.wait <= 0

    async def take(self, letter: Letter, mark: Mark) -> Answer:
        """Hand a letter to this provider when its turn has come, unless the provider is known to be away by then.

        `mark` is asked once, between 354 and the body; before it said yes nothing of the message is on the wire.
        Cancelled before the body, this ends the connection and raises. Cancelled later, it waits for the answer all
        the same and returns it, so that it can be recorded; the caller finds the request in `Task.cancelling()`.
        """
        if self.breaker.wait > 0:
            return self.breaker.outage()
        errand = Errand(letter, mark)
        self._queue.put(errand)
        self._call()
        try:
            return await errand.outcome()
        except asyncio.CancelledError:
            self.breaker.leave(errand, None)
            raise

    def _call(self) -> None:
        """Send one more courier, if somebody waits and a connection may be opened."""
        if self._queue and len(self._couriers) < self._size:
            courier = asyncio.create_task(Courier(self._way).run())
            self._couriers.add(courier)
            courier.add_done_callback(self._gone)

    def _gone(self, courier: asyncio.Task[None]) -> None:
        self._couriers.discard(courier)
        self._call()
