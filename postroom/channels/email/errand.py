"""A letter with its mark, from when somebody waits for its answer; errands wait by priority, and tenants take turns."""

import asyncio
from collections import OrderedDict, deque
from uuid import UUID

from postroom.channels.base import Answer, Mark
from postroom.channels.email.conversation import Letter
from postroom.contracts.vocabulary import Priority


class Errand:
    """One letter to hand over; whoever began it waits for `outcome`.

    `tried` says that a connection died under it and it needs a new one, `given_up` that whoever began it was cancelled
    in time.
    """

    def __init__(self, letter: Letter, mark: Mark) -> None:
        self.letter = letter
        self.mark = mark
        self.tried = False
        self.given_up = False
        self._end: Answer | BaseException | None = None
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._courier: asyncio.Task[None] | None = None
        self._sent = False

    @property
    def over(self) -> bool:
        """Whether nobody waits for an answer any more."""
        return self._end is not None or self.given_up

    def begin(self, courier: "asyncio.Task[None] | None") -> None:
        """Let a cancellation end the courier that carries it, until the body is sent."""
        self._courier = courier

    def sent(self) -> None:
        """From now on only the server's answer ends it."""
        self._courier = None
        self._sent = True

    def end(self, end: Answer | BaseException) -> None:
        """Tell whoever waits: an answer, or what went wrong with us."""
        self._courier = None
        self._end = end
        if not self._news.done():
            self._news.set_result(None)

    async def outcome(self) -> Answer:
        """Wait for the end. Cancelled before the body was sent, this gives up and raises; later it waits on."""
        while self._end is None:
            try:
                await self._news
            except asyncio.CancelledError:
                if not (self.over or self._sent):
                    self._give_up()
                    raise
                self._news = asyncio.get_running_loop().create_future()
        if isinstance(self._end, Answer):
            return self._end
        raise self._end

    def _give_up(self) -> None:
        self.given_up = True
        if self._courier:
            self._courier.cancel()


class Queue:
    """Errands that wait: by priority; inside one the tenants take turns, each with its own in the order they came."""

    def __init__(self) -> None:
        self._lines: dict[Priority, OrderedDict[UUID, deque[Errand]]] = {
            priority: OrderedDict() for priority in sorted(Priority)
        }

    def put(self, errand: Errand) -> None:
        """Let it wait behind its equals."""
        self._line(errand).append(errand)

    def put_back(self, errand: Errand) -> None:
        """Let it wait before everybody: it has waited already, and it was its tenant's turn."""
        self._line(errand).appendleft(errand)
        self._lines[errand.letter.priority].move_to_end(errand.letter.tenant_id, last=False)

    def next(self) -> Errand | None:
        """Take the one whose turn it is; whoever gave up meanwhile is passed over."""
        for tenants in self._lines.values():
            while tenants:
                tenant_id, line = tenants.popitem(last=False)
                errand = line.popleft()
                if line:
                    tenants[tenant_id] = line
                if not errand.given_up:
                    return errand
        return None

    def _line(self, errand: Errand) -> deque[Errand]:
        return self._lines[errand.letter.priority].setdefault(errand.letter.tenant_id, deque())

    def __bool__(self) -> bool:
        """Whether somebody waits."""
        return any(self._lines.values())
