"""Ends background loops for certain: one cancellation can get lost."""

import asyncio
import logging

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
