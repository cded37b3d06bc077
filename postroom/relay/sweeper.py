"""The sweeper's rounds; every worker runs one, and says only what a person should know."""

import asyncio
import itertools
import logging

from psycopg import Error as DatabaseError

from postroom.database.engine import Database
from postroom.errors import Unavailable
from postroom.relay.sweeping import sweep
from postroom.timing import Timing

log = logging.getLogger(__name__)

AUDIT_EVERY = 12  # rounds between looks for what must never be


async def sweep_rounds(database: Database, timing: Timing) -> None:
    """Sweep every `sweep_every`; a database that is away is tried again. Never returns."""
    for number in itertools.count():
        await asyncio.sleep(timing.sweep_every.total_seconds())
        try:
            found = await sweep(database, audit=number % AUDIT_EVERY == 0)
        except (DatabaseError, Unavailable) as error:
            log.warning("sweep put off: %s", type(error).__name__)
            continue
        if found.lapsed:
            log.warning("%d hand-offs were never answered; asking what became of them", found.lapsed)
        if found.overslept:
            log.info("%d carriers should have come back; poking them", found.overslept)
        if found.late:
            log.info("%d acceptances learned late; corrected", found.late)
        if found.abandoned:
            log.error("open notifications in a closed carrier, please report: %s", ", ".join(found.abandoned))
