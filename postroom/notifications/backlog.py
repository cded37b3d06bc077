"""How much is due and not yet on its way, known well enough to say "full" early without counting per request."""

import asyncio
import logging
import time
from datetime import datetime

from psycopg import Error as DatabaseError

from postroom.database.engine import Database
from postroom.errors import TooMany, Unavailable

log = logging.getLogger(__name__)

SAMPLE_SECONDS = 1.0
COME_BACK_SECONDS = 5

# What has a carrier is bounded by the relay's window; what waits for one is the backlog. Never counts past the limit.
COUNT = """
SELECT count(*), now() AS at FROM (
    SELECT FROM notifications WHERE state = 'open' AND carrier_id IS NULL AND due_at <= now() LIMIT %s
) AS waiting
"""


class Backlog:
    """A sample of the last second, and what this process accepted since."""

    def __init__(self, database: Database, limit: int) -> None:
        self._database = database
        self._limit = limit
        self._sampled = 0
        self._since: list[tuple[datetime, int]] = []
        self._added = 0
        self._next_sample = 0.0
        self._sampling: asyncio.Task[None] | None = None

    def refusal(self, more: int = 1) -> TooMany | None:
        """Return why `more` notifications are not taken now; None while there is room for them."""
        if time.monotonic() >= self._next_sample and self._sampling is None:
            self._sampling = asyncio.create_task(self._sample())
        if self._sampled + self._added + more <= self._limit:
            return None
        return TooMany(
            f"{self._limit} notifications are due and waiting; come back later.",
            code="backlog_full",
            retry_after=COME_BACK_SECONDS,
        )

    def add(self, count: int, accepted_at: datetime) -> None:
        """Count what was just accepted, by the database's clock, and is due now."""
        self._since.append((accepted_at, count))
        self._added += count

    async def _sample(self) -> None:
        try:
            async with self._database.system_transaction() as connection:
                [row] = await (await connection.execute(COUNT, (self._limit + 1,))).fetchall()
            self._sampled = row["count"]
            self._since = [(at, count) for at, count in self._since if at > row["at"]]  # the others it saw
            self._added = sum(count for _, count in self._since)
        except (DatabaseError, Unavailable) as error:
            log.info("the backlog could not be counted: %s", type(error).__name__)
        finally:
            self._next_sample = time.monotonic() + SAMPLE_SECONDS
            self._sampling = None
