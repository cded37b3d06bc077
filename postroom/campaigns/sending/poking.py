"""Which tasks are owed a look: pokes their workflows until these have looked, and watches those that should have."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from postroom.database.engine import Connection, Database
from postroom.identity import task_workflow_id
from postroom.pokes import backed_off, backoff
from postroom.relay.relay import EngineAway, Rest, poke_until, start_all
from postroom.timing import Timing

log = logging.getLogger(__name__)

BATCH = 50

# The backoff is written before the start is tried: a poke that dies on the way is repeated, never forgotten.
POKE = f"""
UPDATE campaign_tasks c SET {backed_off("c")}
FROM (SELECT id FROM campaign_tasks WHERE owed AND next_poke_at <= now()
      ORDER BY next_poke_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED) chosen, tenants t, campaigns p
WHERE c.id = chosen.id AND t.id = c.tenant_id AND p.id = c.campaign_id
RETURNING c.id, c.tenant_id, t.slug, c.campaign_id, c.channel
"""
WATCH = """
UPDATE campaign_tasks SET owed = true, next_poke_at = now()
WHERE id IN (SELECT id FROM campaign_tasks WHERE wake_by < now() AND NOT owed
             ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED)
"""
# A pass that works is looked after: its workflow is expected back later. What another pass of the task has written just
# now, or is writing, need not be written again, let alone be waited for.
STILL_HERE = """
UPDATE campaign_tasks SET wake_by = greatest(wake_by, now() + %(grace)s)
WHERE id IN (SELECT id FROM campaign_tasks WHERE id = %(task_id)s AND wake_by < now() + 0.75 * %(grace)s::interval
             FOR NO KEY UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class TaskPoke:
    """A task whose workflow must look: everything its start needs, ids only."""

    id: UUID
    tenant_id: UUID
    slug: str
    campaign_id: UUID
    channel: str

    @property
    def workflow_id(self) -> str:
        """The id of the workflow."""
        return task_workflow_id(self.slug, self.id)


# Starts the workflow of a task, or signals the one that runs; raises EngineAway when the engine does not answer.
StartTask = Callable[[TaskPoke], Awaitable[None]]


async def take_pokes(connection: Connection, timing: Timing, limit: int) -> Sequence[TaskPoke]:
    """Take the tasks to poke now; the caller commits and then pokes."""
    parameters = backoff(timing, limit)
    return [TaskPoke(**row) async for row in await connection.execute(POKE, parameters)]


async def still_here(connection: Connection, task_id: UUID, timing: Timing) -> None:
    """Tell the watchdog that a pass is alive."""
    await connection.execute(STILL_HERE, {"task_id": task_id, "grace": timing.watch_grace})


class TaskPoker:
    """Runs rounds until it is stopped; any number of workers may run one."""

    def __init__(self, database: Database, start: StartTask, timing: Timing) -> None:
        self._database = database
        self._start = start
        self._timing = timing

    async def run(self, stopping: asyncio.Event) -> None:
        """Work every `task_poll`; whatever fails is tried again."""
        await poke_until(log, "tasks", self.round, Rest(self._timing.task_poll, stopping))

    async def round(self) -> int:
        """Owe a look to who overslept, and poke what is owed; returns how many were poked.

        Raises:
            EngineAway: a start found no engine; what is owed stays owed.
        """
        async with self._database.system_transaction() as connection:
            overslept = (await connection.execute(WATCH, {"limit": BATCH})).rowcount
            pokes = await take_pokes(connection, self._timing, BATCH)
        if overslept:
            log.info("%d tasks should have come back; poking them", overslept)
        if await start_all(self._start, pokes):
            raise EngineAway
        return len(pokes)
