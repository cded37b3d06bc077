"""Loops beside the work: rounds that go on whatever happens, and an end that is certain."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from psycopg import Error as DatabaseError
from sqlalchemy.exc import SQLAlchemyError

from postroom.errors import Unavailable

log = logging.getLogger(__name__)

AGAIN_SECONDS = 0.1


async def end(loop: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended; what it died of before is only logged.

    A cancellation that arrives together with a result is dropped by `asyncio.wait_for` before Python 3.12 and by
    psycopg's pool; a loop that missed its only one ran on, and a send pass with it until its time was over.
    """
    while not loop.done():
        loop.cancel()
        await asyncio.wait({loop}, timeout=AGAIN_SECONDS)
    if not loop.cancelled() and (error := loop.exception()):
        log.error("a background loop had ended early", exc_info=error)


@dataclass(frozen=True, slots=True)
class Beat:
    """How rounds follow each other: what they are called in the log, and the pause after one that found little.

    A round that did `full` or more is followed by the next at once; without it every round is followed by a pause.
    """

    what: str
    pause: timedelta
    full: int | None = None


async def keep_at(log: logging.Logger, beat: Beat, work: Callable[[], Awaitable[int]]) -> None:
    """Work in rounds, of which each says how much it did; whatever fails is told and tried again. Never returns."""
    while True:
        done = 0
        try:
            done = await work()
        except (DatabaseError, SQLAlchemyError, Unavailable) as error:
            log.warning("%s put off: %s", beat.what, type(error).__name__)
        except Exception:
            log.exception("a round of %s failed, trying again", beat.what)
        if beat.full is None or done < beat.full:
            await asyncio.sleep(beat.pause.total_seconds())
