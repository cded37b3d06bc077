"""Carries waiting letters to one provider, one behind the other, over a connection of its own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from postroom.channels.base import Answer
from postroom.channels.email.alarm import Alarm
from postroom.channels.email.answers import says_nothing_yet
from postroom.channels.email.breaker import Breaker
from postroom.channels.email.connection import Connection, UnreachableError
from postroom.channels.email.conversation import BAD_SEQUENCE, Conversation
from postroom.channels.email.drops import Drops
from postroom.channels.email.errand import Errand, Queue
from postroom.channels.email.pool import Pool
from postroom.timing import Timing


@dataclass(frozen=True, slots=True)
class Way:
    """What the couriers to one provider share; `call` brings one more when an errand has come back to the queue."""

    queue: Queue
    pool: Pool
    breaker: Breaker
    timing: Timing
    call: Callable[[], None]
    drops: Drops


@dataclass(frozen=True, slots=True)
class Turn:
    """An errand whose envelope is said, or about to be."""

    errand: Errand
    talk: Conversation


class Courier:
    """Holds one connection and at most two errands: one whose answer is due, and one that follows on its heels."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._before: Answer | None = None
        self._errand: Errand | None = None
        self._follower: Errand | None = None
        self._hurry = Alarm(self._put_back)

    async def run(self) -> None:
        """Carry letters until none waits. Cancelled before a body was sent, it ends, and its connection with it."""
        try:
            errand = self._next()
            while errand:
                errand = await self._carry(errand) or self._next()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the letters has to hear of it
            for left in (self._errand, self._follower):
                if left and not left.over:
                    self._end(left, error)
        finally:
            self._hurry.close()

    def _next(self) -> Errand | None:
        """Take the next errand that the breaker lets try; the others hear at once that the provider is away."""
        breaker = self._way.breaker
        while errand := self._way.queue.next():
            if breaker.enter(errand):
                return errand
            errand.end(breaker.outage())
        return None

    async def _carry(self, errand: Errand) -> Errand | None:
        """Carry letters over one connection while it lasts; returns one that must begin anew over another."""
        self._hold(errand)
        self._before = None
        try:
            connection = await self._way.pool.lend(fresh=errand.tried)
        except UnreachableError as unreachable:
            self._end(errand, unreachable.answer)
            return None
        try:
            return await self._carry_over(connection, errand)
        except BaseException:
            connection.wire.abort("The message was given up.")
            raise
        finally:
            self._way.pool.take_back(connection)

    async def _carry_over(self, connection: Connection, errand: Errand) -> Errand | None:
        turn = self._turn(connection, errand) or self._next_turn(connection)
        while turn:
            self._hold(turn.errand)
            refusal = await turn.talk.invited()
            if turn.errand.given_up:  # and the cancellation was swallowed on its way, as asyncio.wait_for may do
                connection.wire.abort("The message was given up.")
                return None
            if refusal and (_not_its_fault(turn.talk, refusal) or _echoes(refusal, self._before)):
                connection.wire.farewell()
                turn.errand.tried = True
                return turn.errand
            if refusal:
                self._end(turn.errand, refusal)
                await turn.talk.retreat()
                turn = None
            else:
                turn = await self._hand_over(turn)
            if turn is None and connection.reusable:
                turn = self._next_turn(connection)
        return None

    async def _hand_over(self, turn: Turn) -> Turn | None:
        """Mark, send and hear the answer; returns whose envelope went along."""
        errand, talk = turn.errand, turn.talk
        try:
            refusal = await talk.marked(errand.mark)
        except Exception as error:  # noqa: BLE001 - what a mark raises is for whoever gave it
            talk.connection.wire.abort("The mark broke.")
            self._end(errand, error)
            return None
        if refusal or errand.given_up:
            talk.connection.wire.abort("The body stays here.")
            if refusal and not errand.given_up:
                self._end(errand, refusal)
            return None
        follower = self._following(talk)
        errand.sent()
        talk.send(follower.talk if follower else None)
        self._before = await self._answer(talk)
        self._end(errand, self._before)
        if follower and (self._follower is None or self._follower.over):
            talk.connection.wire.abort("The envelope behind the body is nobody's any more.")
            return None
        return follower

    async def _answer(self, talk: Conversation) -> Answer:
        """Wait for it; whoever follows does not wait long behind a server that takes its time."""
        if self._follower is None:
            return await talk.answered()
        self._hurry.set(self._way.timing.follow_patience.total_seconds())
        try:
            return await talk.answered()
        finally:
            self._hurry.clear()

    def _following(self, talk: Conversation) -> Turn | None:
        """Choose whose envelope rides behind this body: nobody's while one letter probes for all."""
        if not talk.pipelined or not talk.connection.reusable or self._way.breaker.wait > 0:
            return None
        turn = self._next_turn(talk.connection)
        self._follower = turn.errand if turn else None
        return turn

    def _put_back(self) -> None:
        if self._follower and not self._follower.over:
            self._way.breaker.leave(self._follower, None)
            self._way.queue.put_back(self._follower)
            self._way.call()
        self._follower = None

    def _next_turn(self, connection: Connection) -> Turn | None:
        while errand := self._next():
            if turn := self._turn(connection, errand):
                return turn
        return None

    def _turn(self, connection: Connection, errand: Errand) -> Turn | None:
        talk = Conversation(connection, errand.letter, self._way.timing)
        if answer := talk.impossible():
            self._end(errand, answer)
            return None
        return Turn(errand, talk)

    def _hold(self, errand: Errand) -> None:
        self._errand, self._follower = errand, None
        errand.begin(asyncio.current_task())

    def _end(self, errand: Errand, end: Answer | BaseException) -> None:
        """Tell the breaker before anybody else may knock, then whoever waits."""
        if isinstance(end, Answer):
            end = self._way.drops.judge(errand.letter, end)
        self._way.breaker.leave(errand, end if isinstance(end, Answer) else None)
        errand.end(end)


def _not_its_fault(talk: Conversation, refusal: Answer) -> bool:
    """Whether the connection is to blame: it died resting, or what another letter left behind confused the server."""
    return not talk.first and (says_nothing_yet(refusal) or refusal.code == BAD_SEQUENCE)


def _echoes(refusal: Answer, before: Answer | None) -> bool:
    """Whether it is the refusal of the letter before, said twice: then it is not about this one at all."""
    return before is not None and (refusal.code, refusal.detail) == (before.code, before.detail)
