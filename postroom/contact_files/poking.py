"""Has files of contacts read and written: starts the workflow of each that waits, clears away what others left."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from postroom.contact_files.ending import remove_leftovers
from postroom.database.engine import Database
from postroom.identity import file_workflow_id
from postroom.loops import Beat, keep_at
from postroom.pokes import backed_off, backoff
from postroom.relay.relay import start_all
from postroom.timing import Timing

log = logging.getLogger(__name__)

AT_ONCE = 20

# Each piece that is written puts the next poke off, so that only what stands still is poked. The back-off is written
# before the start is tried: a poke that dies on the way is repeated, never forgotten.
TAKE = f"""
UPDATE contact_files f SET {backed_off("f")}
FROM (SELECT job_id FROM contact_files WHERE state = 'open' AND next_poke_at <= now() ORDER BY next_poke_at
      LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED) chosen, tenants t
WHERE f.job_id = chosen.job_id AND t.id = f.tenant_id
RETURNING f.job_id, f.tenant_id, f.kind, t.slug
"""


@dataclass(frozen=True, slots=True)
class FilePoke:
    """A file whose workflow must be started, unless one is at work."""

    job_id: UUID
    tenant_id: UUID
    kind: str
    slug: str

    @property
    def workflow_id(self) -> str:
        """The name of its workflow."""
        return file_workflow_id(self.slug, self.job_id)


class FilePoker:
    """Runs rounds until it is cancelled; any number of workers may run one."""

    def __init__(self, database: Database, start: Callable[[FilePoke], Awaitable[None]], timing: Timing) -> None:
        self._database = database
        self._start = start
        self._pause = timing.relay_poll
        self._asked = backoff(timing, AT_ONCE)

    async def rounds(self) -> None:
        """Work at least once every `relay_poll`. Never returns."""
        await keep_at(log, Beat("files of contacts", self._pause), self.round)

    async def round(self) -> int:
        """Start what waits and clear away what is left; returns how many files were poked."""
        async with self._database.system_transaction() as connection:
            pokes = [FilePoke(**row) async for row in await connection.execute(TAKE, self._asked)]
        if await start_all(self._start, pokes):
            log.debug("Temporal does not answer; files of contacts wait")
        async with self._database.system_transaction() as connection:
            await remove_leftovers(connection)
        return len(pokes)
