"""Offers a letter to one provider after another, until one of them has taken notice of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from postroom.channels.base import Answer, Mark, Pace, Phase, Verdict
from postroom.channels.email.answers import says_nothing_yet
from postroom.channels.email.conversation import Letter
from postroom.channels.email.drops import DROPPED
from postroom.contracts.vocabulary import Priority
from postroom.limits.allowance import Allowance, Full, Meter, Turn, Window
from postroom.limits.block import Token
from postroom.limits.limiter import Limiter
from postroom.timing import Timing

NOWHERE = Answer(Verdict.UNAVAILABLE, Phase.CONNECT, "no_provider")
LIMITS = {Window.DAY: "provider_daily_limit"}


class Party(Protocol):
    """Who takes mail: its name in the ledger, and what it may take under whose count."""

    @property
    def name(self) -> str:
        """What the ledger calls it."""

    @property
    def meter(self) -> Meter:
        """Under which name its limits are counted."""

    @property
    def allowance(self) -> Allowance:
        """Its limits."""


class Barrier(Protocol):
    """Whether anybody may try now."""

    @property
    def wait(self) -> float:
        """Seconds until somebody may; 0 means now."""

    def outage(self) -> Answer:
        """Say why not, and how long it will be."""


class Road(Protocol):
    """The way to one provider."""

    @property
    def breaker(self) -> Barrier:
        """What keeps messages away while the provider is."""

    async def take(self, letter: Letter, mark: Mark) -> Answer:
        """Hand a letter over, as `Route.take` does."""


@dataclass(frozen=True, slots=True)
class Way:
    """One provider and the way to it."""

    provider: Party
    route: Road


class Offering:
    """Goes by breakers and limits. Without a limiter nobody's limits are kept."""

    def __init__(self, limiter: Limiter | None, timing: Timing) -> None:
        self._limiter = limiter
        self._patience = timing.limit_patience.total_seconds()

    async def offer(self, ways: Sequence[Way], letter: Letter, mark: Mark, priority: Priority) -> Answer:
        """Take a letter to the first provider that can be reached and has room.

        The next one is tried only while nothing was marked. When none would have it, the answer says when the first of
        them can be tried again.
        """
        setbacks = [way.route.breaker.outage() for way in ways if way.route.breaker.wait > 0]
        open_ways = [way for way in ways if way.route.breaker.wait <= 0]
        for way in open_ways:
            # Only at the last door is it worth waiting for room.
            turn = Turn(priority, self._patience if way is open_ways[-1] else 0.0)
            token = await self._admitted(way.provider, turn)
            if isinstance(token, Full):
                setbacks.append(self._limited(way.provider, token))
                continue
            answer = await self._taken(way, token, letter, mark)
            if not (says_nothing_yet(answer) or _dropped_early(answer)):
                away = answer.verdict is Verdict.UNAVAILABLE
                return replace(answer, retry_after=_longer(answer, min(map(_wait_of, ways)))) if away else answer
            setbacks.append(replace(answer, retry_after=_wait_of(way)))
        return _told(setbacks)

    async def _admitted(self, provider: Party, turn: Turn) -> Token | Full | None:
        if self._limiter is None or not provider.allowance.caps:
            return None
        return await self._limiter.ask(provider.meter, provider.allowance, turn)

    async def _taken(self, way: Way, token: Token | None, letter: Letter, mark: Mark) -> Answer:
        """Take the letter there; the token goes back when nothing of it was sent."""
        try:
            answer = await way.route.take(letter, mark)
        except asyncio.CancelledError:  # comes through only before the body
            self._give_back(way.provider, token)
            raise
        if answer.verdict in {Verdict.UNAVAILABLE, Verdict.WITHDRAWN}:
            self._give_back(way.provider, token)
        return answer

    def _give_back(self, provider: Party, token: Token | None) -> None:
        if self._limiter and token:
            self._limiter.give_back(provider.meter, token)

    def _limited(self, provider: Party, full: Full) -> Answer:
        every = max(full.window.length, timedelta(seconds=self._patience))
        cap = provider.allowance.caps[full.window]
        return Answer(
            Verdict.UNAVAILABLE,
            Phase.CONNECT,
            LIMITS.get(full.window, "provider_limit"),
            provider.name,
            retry_after=full.wait,
            pace=Pace(max(1, cap * every // full.window.length), every),
        )


def _told(setbacks: Sequence[Answer]) -> Answer:
    """Say what it comes to: the message's own refusal, else a limit, else an outage; and the shortest of all waits."""
    refusals = [setback for setback in setbacks if setback.verdict is not Verdict.UNAVAILABLE]
    limits = [setback for setback in setbacks if setback.pace]
    if refusals or not setbacks:
        return replace(refusals[0], retry_after=None) if refusals else NOWHERE
    return replace(min(limits or setbacks, key=_retry_of), retry_after=min(map(_retry_of, setbacks)))


def _retry_of(setback: Answer) -> timedelta:
    return setback.retry_after or timedelta(0)


def _longer(setback: Answer, wait: timedelta) -> timedelta:
    """Wait as long as the provider asked for, where it did."""
    return max(_retry_of(setback), wait)


def _wait_of(way: Way) -> timedelta:
    return timedelta(seconds=way.route.breaker.wait)


def _dropped_early(answer: Answer) -> bool:
    """Whether the message was dropped once too often, with nothing marked: another provider may bear with it."""
    return answer.reason == DROPPED and answer.phase in {Phase.ENVELOPE, Phase.DATA}
