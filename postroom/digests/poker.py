"""Has digests closed: gives them their workflows and pokes those that are owed a look; any number of workers may."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from postroom.database.engine import Database
from postroom.digests.gathering import PAGE, Instant, gather, instants
from postroom.digests.poking import ClosingPoke, take_pokes, watch
from postroom.relay.relay import EngineAway, Rest, poke_until, start_all
from postroom.timing import Timing

log = logging.getLogger(__name__)

POKE_BATCH = 50
WATCH_BATCH = 500

# Starts the workflow of a closing, or signals the one that runs; raises EngineAway when the engine does not answer.
StartClosing = Callable[[ClosingPoke], Awaitable[None]]


class DigestPoker:
    """Runs rounds until it is stopped."""

    def __init__(self, database: Database, start: StartClosing, timing: Timing) -> None:
        self._database = database
        self._start = start
        self._timing = timing

    async def run(self, stopping: asyncio.Event) -> None:
        """Work every `relay_poll`; whatever fails is tried again."""
        await poke_until(log, "digests", self.round, Rest(self._timing.relay_poll, stopping))

    async def round(self) -> None:
        """Place digests, owe a look to who overslept, and poke.

        Raises:
            EngineAway: a start found no engine; what is owed stays owed.
        """
        await self.gather()
        async with self._database.system_transaction() as connection:
            overslept = await watch(connection, WATCH_BATCH)
        if overslept:
            log.info("%d closings of digests should have come back; poking them", overslept)
        while await self.poke() == POKE_BATCH:
            pass

    async def gather(self) -> None:
        """Give digests without a workflow theirs."""
        async with self._database.system_transaction() as connection:
            found = await instants(connection)
        for instant in found:
            while await self._gather_page(instant) == PAGE:
                pass

    async def _gather_page(self, instant: Instant) -> int:
        async with self._database.system_transaction() as connection:
            return await gather(connection, instant, self._timing.watch_grace)

    async def poke(self) -> int:
        """Poke what is owed; returns how many closings were poked."""
        async with self._database.system_transaction() as connection:
            pokes = await take_pokes(connection, self._timing, POKE_BATCH)
        if await start_all(self._start, pokes):
            raise EngineAway
        return len(pokes)
