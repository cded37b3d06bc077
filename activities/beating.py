"""Heartbeats beside the work of an activity."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from psycopg import Error as DatabaseError
from temporalio import activity

from postroom.errors import Unavailable
from postroom.loops import end

Shown = Callable[[], Awaitable[None]]


@asynccontextmanager
async def beating(every: float, counts: Mapping[str, int], show_life: Shown | None = None) -> AsyncIterator[None]:
    """Heartbeat to the engine, and to the watchdog, every so many seconds; details are counts, for people only."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(every)
            activity.heartbeat(dict(counts))
            if show_life:
                with suppress(Unavailable, DatabaseError):
                    await show_life()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        await end(task)
