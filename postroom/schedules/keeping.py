"""Keeps the engine in line with the rows: its schedules, and the runs that are owed a start."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection, Database
from postroom.loops import Beat, keep_at
from postroom.pokes import backed_off, backoff
from postroom.relay.relay import EngineAway
from postroom.schedules.models import ScheduleState
from postroom.timing import Timing

log = logging.getLogger(__name__)

AT_ONCE = 20

# The back-off is written before the engine is asked: what dies on the way is repeated, never forgotten.
TAKE = f"""
UPDATE schedules s SET {backed_off("s")}
FROM (SELECT id FROM schedules WHERE next_poke_at <= now() ORDER BY next_poke_at LIMIT %(limit)s
      FOR NO KEY UPDATE SKIP LOCKED) chosen, tenants t
WHERE s.id = chosen.id AND t.id = s.tenant_id
RETURNING s.id, s.tenant_id, t.slug, s.state, s.version, s.recurrence, s.time_zone, s.jitter, s.start_at, s.end_at,
    s.overlap, s.catch_up, now() AS now
"""

# A row that has changed since stays owed.
IN_LINE = """
UPDATE schedules SET owed = false, refused = false, pokes = 0, next_poke_at = now() + %(check)s
WHERE id = %(id)s AND version = %(version)s
"""
OVER = """
UPDATE schedules SET owed = false, pokes = 0, state = 'ended', next_poke_at = NULL
WHERE id = %(id)s AND version = %(version)s AND state <> 'deleted'
"""
GONE = "DELETE FROM schedules WHERE id = %(id)s AND state = 'deleted'"
REFUSED = "UPDATE schedules SET refused = true WHERE id = %(id)s AND version = %(version)s"

TAKE_RUNS = f"""
UPDATE schedule_runs r SET {backed_off("r")}
FROM (SELECT id FROM schedule_runs WHERE state = 'running' AND next_poke_at <= now() ORDER BY next_poke_at
      LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED) chosen, tenants t
WHERE r.id = chosen.id AND t.id = r.tenant_id
RETURNING r.id, r.tenant_id, r.schedule_id, t.slug
"""


class Refused(Exception):
    """The engine will not have this schedule: it does not know its zone, say."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the engine should have, as the row says it."""

    id: UUID
    tenant_id: UUID
    slug: str
    state: str
    version: int
    recurrence: dict[str, Any]
    time_zone: str
    jitter: timedelta
    start_at: datetime | None
    end_at: datetime | None
    overlap: str
    catch_up: timedelta
    now: datetime

    @property
    def is_paused(self) -> bool:
        """Whether it is there and does not fire."""
        return self.state == ScheduleState.PAUSED

    @property
    def is_over(self) -> bool:
        """Whether nothing of it should be left: what it missed shortly before its end may still be caught up with."""
        ended = self.end_at is not None and self.end_at + self.catch_up < self.now
        return ended or self.state in {ScheduleState.ENDED, ScheduleState.DELETED}


@dataclass(frozen=True, slots=True)
class RunPoke:
    """A run whose workflow must be started, unless one is at work."""

    id: UUID
    tenant_id: UUID
    schedule_id: UUID
    slug: str


@dataclass(frozen=True, slots=True)
class Engine:
    """What the keeper asks of the engine; both raise EngineAway, and `align` Refused."""

    align: Callable[[Wish], Awaitable[None]]
    start: Callable[[RunPoke], Awaitable[None]]


class Keeper:
    """Runs rounds until it is cancelled; any number of workers may run one."""

    def __init__(self, database: Database, engine: Engine, timing: Timing) -> None:
        self._database = database
        self._engine = engine
        self._timing = timing
        self._backoff = backoff(timing, AT_ONCE)

    async def rounds(self) -> None:
        """Work at least once every `relay_poll`. Never returns."""
        await keep_at(log, Beat("schedules", self._timing.relay_poll, full=AT_ONCE), self.round)

    async def round(self) -> int:
        """Bring what is owed into line; returns how many schedules and runs were looked at."""
        async with self._database.system_transaction() as connection:
            wishes = [Wish(**row) async for row in await connection.execute(TAKE, self._backoff)]
            pokes = [RunPoke(**row) async for row in await connection.execute(TAKE_RUNS, self._backoff)]
        results = await asyncio.gather(
            *(self._engine.align(wish) for wish in wishes),
            *(self._engine.start(poke) for poke in pokes),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, EngineAway | Refused):
                log.error("the engine and a schedule do not get on", exc_info=result)
        async with self._database.system_transaction() as connection:
            await self._note(connection, wishes, results)
        return len(results)

    async def _note(self, connection: Connection, wishes: Sequence[Wish], results: Sequence[object]) -> None:
        for wish, result in zip(wishes, results, strict=False):
            known = {"id": wish.id, "version": wish.version, "check": self._timing.schedule_check}
            if result is None:
                for statement in (OVER, GONE) if wish.is_over else (IN_LINE,):
                    await connection.execute(statement, known)
            elif isinstance(result, Refused):
                log.error("Temporal refuses the schedule %s; is its zone known there?", wish.id)
                await connection.execute(REFUSED, known)
