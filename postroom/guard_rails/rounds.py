"""The rounds in which every worker looks at the rails of what sends; each task is looked at by one of them."""

import logging
from uuid import UUID

from psycopg import Error as DatabaseError

from postroom.database.engine import Database
from postroom.guard_rails.watching import look
from postroom.identity import TASK, public_id
from postroom.loops import Beat, keep_at
from postroom.timing import Timing

log = logging.getLogger(__name__)

AT_ONCE = 20

# Whose turn it is, over all tenants: the rows of tasks that are new to the rails are made on the way.
NEW = """
INSERT INTO task_rails (task_id, tenant_id)
SELECT t.id, t.tenant_id FROM campaign_tasks t
WHERE t.state = 'sending' AND NOT EXISTS (SELECT FROM task_rails r WHERE r.task_id = t.id)
ON CONFLICT DO NOTHING
"""
DUE = """
UPDATE task_rails r SET next_at = now() + %(pause)s
FROM (SELECT r.task_id FROM campaign_tasks t JOIN task_rails r ON r.task_id = t.id
      WHERE t.state = 'sending' AND r.next_at <= now() ORDER BY r.next_at LIMIT %(limit)s
      FOR NO KEY UPDATE OF r SKIP LOCKED) chosen
WHERE r.task_id = chosen.task_id RETURNING r.task_id, r.tenant_id
"""


class RailRounds:
    """Looks until it is cancelled; any number of workers may."""

    def __init__(self, database: Database, timing: Timing) -> None:
        self._database = database
        self._pause = timing.rail_check

    async def run(self) -> None:
        """Look at every task that sends once every `rail_check`. Never returns."""
        await keep_at(log, Beat("guard rails", self._pause, full=AT_ONCE), self.round)

    async def round(self) -> int:
        """Look at some whose turn it is; returns how many."""
        async with self._database.system_transaction() as connection:
            await connection.execute(NEW)
            cursor = await connection.execute(DUE, {"pause": self._pause, "limit": AT_ONCE})
            due = [(row["tenant_id"], row["task_id"]) async for row in cursor]
        for tenant_id, task_id in due:
            try:
                await self._look(tenant_id, task_id)
            except DatabaseError as error:  # the others' rails must not wait for this one's
                log.warning("the rails of %s put off: %s", public_id(TASK, task_id), type(error).__name__)
        return len(due)

    async def _look(self, tenant_id: UUID, task_id: UUID) -> None:
        async with self._database.tenant_transaction(tenant_id) as connection:
            for one in await look(connection, tenant_id, task_id):
                log.warning("the task %s touches a guard rail: %s %s", task_id, one.level, one.told())
