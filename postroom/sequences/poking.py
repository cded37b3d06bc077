"""Starts or wakes the workflows of enrolments that are to be poked, never more at once than can be carried."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from postroom.database.engine import Database
from postroom.loops import Beat, keep_at
from postroom.pokes import backed_off, backoff
from postroom.relay.relay import EngineAway
from postroom.timing import Timing

log = logging.getLogger(__name__)

# An engine on two cores carries 40 to 85 such workflows a second. Started and not yet looked are at most so many, so
# that a thousand people enrolled at once stand in nobody's way.
AT_ONCE = 20
WINDOW = 40

# The back-off is written before the start is tried: a poke that dies on the way is repeated, never forgotten.
TAKE = f"""
WITH under_way AS (
    SELECT count(*) AS size FROM enrolments
    WHERE next_poke_at > now() AND next_poke_at <= now() + %(last)s AND pokes > 0
)
UPDATE enrolments e SET {backed_off("e")}
FROM (SELECT id FROM enrolments WHERE next_poke_at <= now() ORDER BY next_poke_at
      LIMIT least(%(limit)s, greatest(0, %(window)s - (SELECT size FROM under_way))) FOR NO KEY UPDATE SKIP LOCKED
     ) chosen, tenants t
WHERE e.id = chosen.id AND t.id = e.tenant_id
RETURNING e.id, e.tenant_id, t.slug
"""


@dataclass(frozen=True, slots=True)
class EnrolmentPoke:
    """An enrolment whose workflow must look."""

    id: UUID
    tenant_id: UUID
    slug: str


class Poker:
    """Runs rounds until it is cancelled; any number of workers may run one."""

    def __init__(self, database: Database, start: Callable[[EnrolmentPoke], Awaitable[None]], timing: Timing) -> None:
        self._database = database
        self._start = start
        self._pause = timing.relay_poll
        self._asked = backoff(timing, AT_ONCE) | {"window": WINDOW}

    async def rounds(self) -> None:
        """Poke whenever there is something to poke, and look at least once every `relay_poll`. Never returns."""
        await keep_at(log, Beat("sequences", self._pause, full=1), self.round)

    async def round(self) -> int:
        """Poke some; returns how many were reached."""
        async with self._database.system_transaction() as connection:
            pokes = [EnrolmentPoke(**row) async for row in await connection.execute(TAKE, self._asked)]
        results = await asyncio.gather(*(self._start(poke) for poke in pokes), return_exceptions=True)
        for poke, result in zip(pokes, results, strict=True):
            if isinstance(result, BaseException) and not isinstance(result, EngineAway):
                log.error("poking the enrolment %s failed", poke.id, exc_info=result)
        return results.count(None)
