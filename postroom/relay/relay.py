"""The relay: gives accepted rows their carrier and pokes carriers that are owed a look, most urgent first."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

from postroom.carriers.gathering import Group, PageSize, gather_due, gather_waiting, groups
from postroom.carriers.poking import Poke, any_owed, in_flight, take_pokes
from postroom.database.engine import Database
from postroom.timing import Timing

log = logging.getLogger(__name__)

POKE_BATCH = 50

# Starts the workflow of a carrier, or signals the one that runs; raises EngineAway when the engine does not answer.
Start = Callable[[Poke], Awaitable[None]]


class EngineAway(Exception):
    """The engine cannot be reached; what is owed stays owed."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much the relay hands over: rows to a carrier, rows that travel alone, carriers nobody has looked at yet."""

    page: int
    alone: int
    window: int


@dataclass(frozen=True, slots=True)
class Rest:
    """The pause after each round, and what ends them."""

    pause: timedelta
    stopping: asyncio.Event


class Poked(Protocol):
    """Whose workflow must look; the log names it by that workflow."""

    @property
    def workflow_id(self) -> str:
        """The id of the workflow."""
        ...


Owed = TypeVar("Owed", bound=Poked)


async def start_all(start: Callable[[Owed], Awaitable[None]], pokes: Sequence[Owed]) -> bool:
    """Poke all at once; True when the engine is away. Whatever else fails is told, and stays owed."""
    results = await asyncio.gather(*(start(poke) for poke in pokes), return_exceptions=True)
    for poke, result in zip(pokes, results, strict=True):
        if isinstance(result, BaseException) and not isinstance(result, EngineAway):
            log.error("poking %s failed: %s", poke.workflow_id, result)
    return any(isinstance(result, EngineAway) for result in results)


class Relay:
    """Runs rounds of gathering and poking until it is stopped; any number of workers may run one."""

    def __init__(self, database: Database, start: Start, timing: Timing, capacity: Capacity) -> None:
        self._database = database
        self._start = start
        self._timing = timing
        self._window = capacity.window
        self._size = PageSize(capacity.page, capacity.alone, timing.watch_grace)
        self._engine_away = False

    async def run(self, woken: asyncio.Event, stopping: asyncio.Event) -> None:
        """Work whenever woken, and at least once every `relay_poll`."""
        while not stopping.is_set():
            woken.clear()
            worked = await self._round()
            if not worked:
                await _wait(woken, self._timing.relay_poll)

    async def _round(self) -> bool:
        try:
            worked = not await self._known_away() and await self.gather()
            return await self.poke() > 0 or worked
        except EngineAway:
            return False
        except Exception:
            log.exception("relay round failed, trying again")
            await asyncio.sleep(self._timing.relay_poll.total_seconds())
            return False

    async def _known_away(self) -> bool:
        """While the engine is away, carriers already owed a poke are the probe; rows wait and form pages."""
        if not self._engine_away:
            return False
        async with self._database.system_transaction() as connection:
            return await any_owed(connection, self._timing.poke_backoff_last)

    async def gather(self) -> bool:
        """Place what is due and what waits; True when something was placed.

        Stops at the window: past it rows wait in the table, where their priority still counts and pages form. Whoever
        has nothing on its way goes all the same: a backlog stands in its own way, not in that of others.
        """
        async with self._database.system_transaction() as connection:
            found = await groups(connection)
            busy = await in_flight(connection, self._timing.recent_hand_over) if found else {}
        room = self._window - sum(busy.values())
        placed = 0
        for group in found:
            idle = (group.priority, group.tenant_id, group.channel) not in busy
            placed += await self._gather_group(group, due=room > 0 or idle)
            room -= 1
        return placed > 0

    async def _gather_group(self, group: Group, *, due: bool) -> int:
        async with self._database.system_transaction() as connection:
            waiting = await gather_waiting(connection, group, self._size)
            return waiting + (await gather_due(connection, group, self._size) if due else 0)

    async def poke(self) -> int:
        """Poke what is owed; returns how many carriers were poked.

        Raises:
            EngineAway: a start found no engine; nothing is written after a start, so nothing has to be undone.
        """
        async with self._database.system_transaction() as connection:
            pokes = await take_pokes(connection, self._timing, POKE_BATCH)
        away = await start_all(self._start, pokes)
        if pokes:
            self._tell(away)
        if away:
            raise EngineAway
        return len(pokes)

    def _tell(self, away: bool) -> None:  # noqa: FBT001
        if away != self._engine_away:
            log.warning("Temporal does not answer; accepted rows wait" if away else "Temporal answers again; draining")
        self._engine_away = away


async def poke_until(log: logging.Logger, what: str, work: Callable[[], Awaitable[object]], rest: Rest) -> None:
    """Work in rounds until the process stops; whatever fails is tried again, and what is owed stays owed."""
    while not rest.stopping.is_set():
        try:
            await work()
        except EngineAway:
            log.debug("Temporal does not answer; %s wait", what)
        except Exception:
            log.exception("a round for %s failed, trying again", what)
        await asyncio.sleep(rest.pause.total_seconds())


async def _wait(woken: asyncio.Event, patience: timedelta) -> None:
    try:
        await asyncio.wait_for(woken.wait(), patience.total_seconds())
    except TimeoutError:
        return
