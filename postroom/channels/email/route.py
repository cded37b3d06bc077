"""The way to one provider: its breaker, its connections, and one try to hand a letter over."""

from dataclasses import dataclass

from postroom.channels.base import Answer, Mark, Phase, Verdict
from postroom.channels.email.breaker import Breaker
from postroom.channels.email.connection import Connection, Dialer, UnreachableError
from postroom.channels.email.conversation import Letter, converse
from postroom.channels.email.drops import Drops
from postroom.channels.email.pool import Pool
from postroom.channels.email.providers import Provider
from postroom.timing import Timing


@dataclass(frozen=True, slots=True)
class EmailOptions:
    """What the deployment decides.

    `domain` is ours: it ends every Message-ID and is said in EHLO. `connections` is the cap per provider.
    `evidence_url` is the journal of the relay named `evidence_provider`: of messages that another provider had, it can
    prove that it has them, but not that nobody has. Without a name it speaks for all.
    """

    domain: str
    connections: int
    evidence_url: str | None = None
    evidence_provider: str | None = None


class Route:
    """The way to one provider, shared by everybody who uses it."""

    def __init__(self, provider: Provider, timing: Timing, options: EmailOptions) -> None:
        self.breaker = Breaker(timing)
        self.pool = Pool(Dialer(provider, timing, options.domain), provider.connections or options.connections)
        self._drops = Drops()
        self._timing = timing

    async def take(self, letter: Letter, mark: Mark) -> Answer:
        """Hand a letter to this provider, unless it is known to be away; asked again after the wait for a place."""
        if self.breaker.wait > 0:
            return self.breaker.outage()
        async with self.pool.place:
            if not self.breaker.enter():
                return self.breaker.outage()
            answer: Answer | None = None
            try:
                answer = self._drops.judge(letter, await self._attempt(letter, mark))
            finally:
                self.breaker.leave(answer)
            return answer

    async def _attempt(self, letter: Letter, mark: Mark) -> Answer:
        try:
            connection = await self.pool.lend()
            rested = connection.used > 0
            answer = await self._converse(connection, letter, mark)
            if rested and says_nothing_yet(answer):
                # It died while it rested: that is not the message's fault, and of the provider it proves nothing.
                answer = await self._converse(await self.pool.lend(fresh=True), letter, mark)
        except UnreachableError as unreachable:
            return unreachable.answer
        return answer

    async def _converse(self, connection: Connection, letter: Letter, mark: Mark) -> Answer:
        try:
            return await converse(connection, letter, mark, self._timing)
        finally:
            self.pool.take_back(connection)


def says_nothing_yet(answer: Answer) -> bool:
    """Whether the message may be offered elsewhere: no provider took notice of it and nothing was marked."""
    return answer.verdict is Verdict.UNAVAILABLE and answer.phase in {Phase.CONNECT, Phase.ENVELOPE}
