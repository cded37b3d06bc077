"""The rounds in which every worker counts pages of tasks beforehand, so that whoever asks for a report need not."""

import logging
from uuid import UUID

from psycopg import Error as DatabaseError

from postroom.database.engine import Database
from postroom.identity import TASK, public_id
from postroom.loops import Beat, keep_at
from postroom.reports.counting import fold
from postroom.timing import Timing

log = logging.getLogger(__name__)

AT_ONCE = 20  # pages in one transaction: some 50 ms, in which nobody else changes them
STAY = 10  # transactions for one task before the next has its turn

# What sends, and what was paused, ended or sent again a short while ago: the last pages of it may not be counted yet.
TASKS = """
SELECT id, tenant_id FROM campaign_tasks WHERE state = 'sending' AND frozen_at IS NOT NULL
UNION
SELECT id, tenant_id FROM campaign_tasks WHERE frozen_at IS NOT NULL AND updated_at > now() - %(late)s
"""
# One worker counts a task at a time.
ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('lines ' || %(task_id)s::uuid, 0)) AS alone"


class LineRounds:
    """Counts until it is cancelled; any number of workers may."""

    def __init__(self, database: Database, timing: Timing) -> None:
        self._database = database
        self._pause = timing.line_check
        self._late = timing.line_late

    async def run(self) -> None:
        """Count what rests every `line_check`. Never returns."""
        await keep_at(log, Beat("counting of pages", self._pause, full=1), self.round)

    async def round(self) -> bool:
        """Count some pages of every task that may have new ones; tells whether there are more."""
        async with self._database.system_transaction() as connection:
            found = await connection.execute(TASKS, {"late": self._late})
            tasks = [(row["tenant_id"], row["id"]) async for row in found]
        return any([await self._tried(*task) for task in tasks])

    async def _tried(self, tenant_id: UUID, task_id: UUID) -> bool:
        try:
            return await self._some(tenant_id, task_id)
        except DatabaseError as error:  # the others must not wait for this one
            log.warning("counting of %s put off: %s", public_id(TASK, task_id), type(error).__name__)
            return False

    async def _some(self, tenant_id: UUID, task_id: UUID) -> bool:
        reached = 0
        for _ in range(STAY):
            async with self._database.tenant_transaction(tenant_id) as connection:
                row = await (await connection.execute(ALONE, {"task_id": task_id})).fetchone()
                last = await fold(connection, task_id, reached, AT_ONCE) if row and row["alone"] else None
            if last is None:
                return False
            reached = last
        return True
