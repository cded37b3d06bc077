"""Limiters as other processes would have them, what they granted, and what the database counts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from postroom.database.engine import Database, Role, open_database
from postroom.limits.allowance import Allowance, Full, Meter, Turn, Window
from postroom.limits.block import Token
from postroom.limits.limiter import Limiter
from postroom.timing import Timing
from tests.fixtures.rows import rows

TIMING = Timing()
HELD = replace(TIMING, limit_hold=timedelta(minutes=1))  # until the end of a test on any machine
AT_ONCE = Turn()
USED = "SELECT used FROM provider_usage WHERE provider = %s AND kind = %s"


@asynccontextmanager
async def process(database_url: str, timing: Timing = TIMING) -> AsyncIterator[Limiter]:
    """A limiter on a pool of its own, as another process would have it."""
    async with open_database(database_url, {Role.APP: 1, Role.LEDGER: 2}) as database:
        limiter = Limiter(database, timing)
        yield limiter
        await limiter.close()


async def asked(limiter: Limiter, meter: Meter, allowance: Allowance, count: int) -> list[Token | Full]:
    return list(await asyncio.gather(*(limiter.ask(meter, allowance, AT_ONCE) for _ in range(count))))


def granted(answers: Sequence[Token | Full]) -> list[Token]:
    return [answer for answer in answers if isinstance(answer, Token)]


async def used(database: Database, meter: Meter, window: Window) -> int:
    [row] = await rows(database, USED, meter.provider, window)
    return int(row["used"])


async def away_from_the_end(database: Database, window: str, seconds: float) -> None:
    """Begin where the window of the database's clock lasts for some seconds more."""
    statement = "SELECT extract(epoch FROM date_trunc(%s, now(), 'UTC') + %s - now())::float AS lasts"
    length = {"day": timedelta(days=1), "minute": timedelta(minutes=1)}[window]
    [row] = await rows(database, statement, window, length)
    if row["lasts"] < seconds:
        await asyncio.sleep(row["lasts"] + 0.01)
