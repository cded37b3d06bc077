"""The way to one service, watched: every answer counts for its health, and a probe is one message's alone."""

import asyncio
import logging
import time
from collections.abc import Awaitable
from datetime import timedelta
from uuid import UUID

from psycopg import Error as DatabaseError

from postroom.channels.base import Answer, Mark, Phase
from postroom.channels.email.conversation import Letter
from postroom.channels.email.offering import Barrier, Road
from postroom.errors import Unavailable
from postroom.sender_services.book import ServiceBook, Standing
from postroom.sender_services.health import Health, is_ill, is_well

log = logging.getLogger(__name__)

SERVICES_REMEMBERED = 10_000
SUCCESS_SECONDS = 1.0  # between two successes of a service that are worth writing down
BEFORE_THE_MARK = {Phase.CONNECT, Phase.ENVELOPE, Phase.DATA}


class Watch:
    """What this process writes down about services: a success a second at most, every failure, every probe."""

    def __init__(self, health: Health, book: ServiceBook) -> None:
        self._health = health
        self._book = book
        self._told: dict[UUID, float] = {}
        self._writing: set[asyncio.Task[None]] = set()

    async def claim_probe(self, service: Standing) -> UUID | None:
        """Ask to be the one who tries a frozen service; whoever was not first looks again."""
        token = await self._health.claim_probe(service)
        if token is None:
            self._book.forget(service.tenant_id)
        return token

    def doubt(self, service: Standing) -> None:
        """Have a tenant's services looked at again: a mark was refused, perhaps because one was frozen by hand."""
        self._book.forget(service.tenant_id)

    async def hold_probe(self, service: Standing, token: UUID) -> None:
        """Keep a try to oneself: its message is marked."""
        await self._quietly(self._health.hold_probe(service, token))

    async def leave_probe(self, service: Standing, token: UUID) -> None:
        """Give back a try that did not happen."""
        await self._quietly(self._health.leave_probe(service, token))

    async def learn(self, service: Standing, answer: Answer, took: timedelta, probe: UUID | None) -> None:
        """Learn from an answer. What was marked is recorded first: nobody waits for these rows then."""
        if is_ill(answer):
            self._told.pop(service.id, None)  # the next success ends the row
        elif probe is None and not self._is_news(service, answer):
            return
        telling = self._quietly(self._tell(service, answer, took, probe))
        if answer.phase in BEFORE_THE_MARK:
            await telling
            return
        task = asyncio.create_task(telling)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Finish what is being written."""
        await asyncio.gather(*self._writing)

    async def _tell(self, service: Standing, answer: Answer, took: timedelta, probe: UUID | None) -> None:
        if probe is not None:
            await self._health.probed(service, probe, answer)
            self._book.forget(service.tenant_id)
        elif not is_ill(answer):
            await self._health.fared_well(service)
        elif await self._health.erred(service, answer, took):
            self._book.forget(service.tenant_id)

    def _is_news(self, service: Standing, answer: Answer) -> bool:
        """Whether a success is the first of a second, or after an error."""
        now = time.monotonic()
        if not is_well(answer) or now < self._told.get(service.id, 0.0):
            return False
        if len(self._told) >= SERVICES_REMEMBERED:
            self._told.clear()
        self._told[service.id] = now + SUCCESS_SECONDS
        return True

    async def _quietly(self, telling: Awaitable[None]) -> None:
        """Write it if the database lets us; the next answer will say the same."""
        try:
            await telling
        except (DatabaseError, Unavailable) as error:
            log.warning("how a sender service fares was not written: %s", type(error).__name__)


class WatchedRoad:
    """A service's road; `probe` is the token of the one try that a frozen one gets."""

    def __init__(self, road: Road, service: Standing, watch: Watch, probe: UUID | None = None) -> None:
        self._road = road
        self._service = service
        self._watch = watch
        self._probe = probe

    @property
    def breaker(self) -> Barrier:
        """What this process alone knows of the way."""
        return self._road.breaker

    async def take(self, letter: Letter, mark: Mark) -> Answer:
        """Hand a letter over, as `Route.take` does, and learn from the answer."""
        began = time.monotonic()
        answer = await self._road.take(letter, self._watched(mark))
        probe, self._probe = self._probe, None
        await self._watch.learn(self._service, answer, timedelta(seconds=time.monotonic() - began), probe)
        return answer

    def _watched(self, mark: Mark) -> Mark:
        async def marked(message: bytes | None, provider: str) -> bool:
            if not await mark(message, provider):
                self._watch.doubt(self._service)
                return False
            if self._probe is not None:
                await self._watch.hold_probe(self._service, self._probe)
            return True

        return marked

    async def leave(self) -> None:
        """Give the probe back if nobody went this way."""
        if self._probe is not None:
            await self._watch.leave_probe(self._service, self._probe)
