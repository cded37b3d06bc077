"""Two real transactions in a chosen order: both wait for one row lock, and get it in the order they came."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from psycopg import AsyncConnection

Act = Callable[[], Awaitable[object]]

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
PATIENCE_SECONDS = 60


async def in_line(database_url: str, row: tuple[str, UUID], *acts: Act) -> list[object]:
    """Hold the row (table, id) until every act waits for it, in order; return what each returned or raised."""
    table, key = row
    tasks: list[asyncio.Task[object]] = []
    watcher = await AsyncConnection.connect(database_url, autocommit=True)
    holder = await AsyncConnection.connect(database_url)
    async with watcher, holder:
        await holder.execute(f"SELECT FROM {table} WHERE id = %s FOR UPDATE", (key,))
        for act in acts:
            tasks.append(asyncio.ensure_future(act()))
            await _waiters(watcher, len(tasks))
        await holder.rollback()
        return await asyncio.gather(*tasks, return_exceptions=True)


async def _waiters(watcher: AsyncConnection, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await (await watcher.execute(WAITING)).fetchone()
            if found and found[0] >= count:
                return
            await asyncio.sleep(0.005)
