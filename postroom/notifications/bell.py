"""Wakes the relay: a NOTIFY at most every 20 ms, never inside the accepting transaction (NOTIFY serialises commits)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import Error as DatabaseError

from postroom.database.engine import Database, Role
from postroom.errors import Unavailable
from postroom.loops import end

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.02
TROUBLE_PAUSE_SECONDS = 1.0

# A lost ring costs one poll of the relay, so it need not wait for the disk.
RING = "SELECT set_config('synchronous_commit', 'off', true), pg_notify('postroom_relay', '')"


class Bell:
    """Rings for whatever became due in this process; best effort, because the relay also looks by itself."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wanted = asyncio.Event()

    def ring(self) -> None:
        """Ask for a ring soon; many asks are one ring."""
        self._wanted.set()

    @asynccontextmanager
    async def attended(self) -> AsyncIterator[None]:
        """Ring when asked, for as long as the context lasts."""
        attendant = asyncio.create_task(self._attend(), name="relay bell")
        try:
            yield
        finally:
            await end(attendant)

    async def _attend(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                async with self._database.transaction(Role.APP) as connection:
                    await connection.execute(RING)
            except (DatabaseError, Unavailable) as error:
                log.info("the relay was not woken, it will look by itself: %s", type(error).__name__)
                await asyncio.sleep(TROUBLE_PAUSE_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)
