"""The loop that exports and erases people, a step at a time; every worker runs one."""

import asyncio
import logging
from dataclasses import dataclass
from uuid import UUID

from psycopg import Error as DatabaseError

from postroom.database.engine import Database
from postroom.errors import Unavailable
from postroom.identity import JOB, public_id
from postroom.privacy.erasing import Eraser
from postroom.privacy.exporting import Exporter
from postroom.privacy.tasks import remove_expired, take_next, write_progress
from postroom.privacy.walking import Kind, Task
from postroom.timing import Timing

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PersonRounds:
    """Works off the jobs of people; the rows say what is left, so any number of workers may, and any may die."""

    database: Database
    timing: Timing
    eraser: Eraser
    exporter: Exporter

    async def run(self) -> None:
        """Look for work every `person_poll`; a database that is away is tried again. Never returns."""
        while True:
            try:
                await self.round()
            except (DatabaseError, Unavailable) as error:
                log.warning("exports and erasures put off: %s", type(error).__name__)
            await asyncio.sleep(self.timing.person_poll.total_seconds())

    async def round(self) -> int:
        """Take every step that can be taken now; returns how many. A job whose step fails stands back for the round."""
        steps, failed = 0, set[UUID]()
        while (stepped := await self._step(failed)) is not None:
            steps += stepped
        async with self.database.system_transaction() as connection:
            await remove_expired(connection)
        return steps

    async def _step(self, failed: set[UUID]) -> bool | None:
        """Take one step: True when it is written, False when it failed; None when there is none to take."""
        task = None
        try:
            async with self.database.system_transaction() as connection:
                task = await take_next(connection, failed)
                if task is None:
                    return None
                stepping = self.eraser if task.kind is Kind.ERASURE else self.exporter
                progress = await stepping.step(connection, task)
                waits = {"pause": self.timing.person_pause, "life": self.timing.export_life}
                await write_progress(connection, task, progress, waits)
        except DatabaseError as error:
            if task is None:
                raise
            self._stand_back(task, error, failed)
            return False
        return True

    def _stand_back(self, task: Task, error: DatabaseError, failed: set[UUID]) -> None:
        """A step that met somebody else's is repeated in the next round; its transaction left nothing behind."""
        log.warning("a step of %s did not succeed: %s", public_id(JOB, task.job_id), type(error).__name__)
        failed.add(task.job_id)
