"""What came back of each task as it was read lately: a list of campaigns cannot read every open of theirs itself."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Error as DatabaseError
from psycopg.types.json import Jsonb

from postroom.database.engine import Connection, Database
from postroom.identity import TASK, public_id
from postroom.loops import Beat, keep_at
from postroom.reports.afterwards import SPELLED, afterwards_of
from postroom.reports.engagement import Feedback, Touches
from postroom.reports.tasks import chosen_bucket, task_of
from postroom.timing import Timing

log = logging.getLogger(__name__)

AT_ONCE = 10
MUCH = 100_000  # touches and words of providers: what was read of a task with more is kept whole
SHARE = 20  # reading takes at most so small a part of the time, and of a task's age
LONGEST = timedelta(days=90)  # opens that come later are in the task's own report only

NEW = """
INSERT INTO task_standings AS s (task_id, tenant_id, next_at)
SELECT t.id, t.tenant_id, now() FROM (
    SELECT id, tenant_id FROM campaign_tasks WHERE state = 'sending' AND frozen_at IS NOT NULL
    UNION
    SELECT id, tenant_id FROM campaign_tasks WHERE frozen_at IS NOT NULL AND updated_at > now() - %(late)s
) t
WHERE NOT EXISTS (SELECT FROM task_standings k WHERE k.task_id = t.id AND k.next_at IS NOT NULL)
ON CONFLICT (task_id) DO UPDATE SET next_at = now()
"""
# The next time is written before the reading: one that dies on the way is repeated, not forgotten.
TAKE = """
UPDATE task_standings s SET next_at = now() + %(claim)s
FROM (SELECT task_id FROM task_standings WHERE next_at <= now() ORDER BY next_at LIMIT %(limit)s
      FOR NO KEY UPDATE SKIP LOCKED) due
WHERE s.task_id = due.task_id
RETURNING s.task_id, s.tenant_id
"""
WRITE = """
UPDATE task_standings s SET read_at = now(), feedback = %(feedback)s, opens = %(opens)s, clicks = %(clicks)s,
    read = %(read)s,
    next_at = CASE WHEN t.state = 'sending' OR now() < t.updated_at + %(longest)s
        THEN now() + greatest(%(first)s, %(share)s * %(spent)s, (now() - coalesce(t.started_at, now())) / %(share)s) END
FROM campaign_tasks t WHERE s.task_id = %(task_id)s AND t.id = s.task_id
"""
READ = "SELECT task_id, read_at, feedback, opens, clicks FROM task_standings WHERE task_id = ANY(%(ids)s)"


@dataclass(frozen=True, slots=True)
class Standing:
    """What came back of some tasks together; `as_of` is the oldest moment any of it was read, None before that."""

    as_of: datetime | None
    feedback: Feedback
    opens: Touches
    clicks: Touches


async def standings_of(connection: Connection, task_ids: Sequence[UUID]) -> dict[UUID, Standing]:
    """Return what was read lately of some tasks; one that nobody has read yet is left out."""
    found = await connection.execute(READ, {"ids": list(task_ids)})
    return {row["task_id"]: _standing(row) async for row in found if row["read_at"]}


def together(standings: Sequence[Standing]) -> Standing:
    """Add up what came back of several tasks."""
    feedback: dict[str, int] = {}
    opens, clicks = Touches(), Touches()
    for one in standings:
        opens, clicks = opens.plus(one.opens), clicks.plus(one.clicks)
        for name, count in asdict(one.feedback).items():
            feedback[name] = feedback.get(name, 0) + count
    moments = [one.as_of for one in standings if one.as_of]
    return Standing(min(moments, default=None), Feedback(**feedback), opens, clicks)


def _standing(row: dict[str, Any]) -> Standing:
    return Standing(row["read_at"], Feedback(**row["feedback"]), Touches(**row["opens"]), Touches(**row["clicks"]))


class StandingRounds:
    """Reads until it is cancelled; any number of workers may. The older a task, the more seldom."""

    def __init__(self, database: Database, timing: Timing) -> None:
        self._database = database
        self._timing = timing

    async def run(self) -> None:
        """Read what is due, and look for it every `standing_poll`. Never returns."""
        beat = Beat("reading of what came back", self._timing.standing_poll, full=AT_ONCE)
        await keep_at(log, beat, self.round)

    async def round(self) -> int:
        """Read some tasks whose turn it is; returns how many."""
        async with self._database.system_transaction() as connection:
            await connection.execute(NEW, {"late": self._timing.line_late})
            due = await connection.execute(TAKE, {"claim": self._timing.standing_claim, "limit": AT_ONCE})
            tasks = [(row["tenant_id"], row["task_id"]) async for row in due]
        for tenant_id, task_id in tasks:
            try:
                await self._read(tenant_id, task_id)
            except DatabaseError as error:  # its claim runs out; the others must not wait for it
                log.warning("%s is not read: %s", public_id(TASK, task_id), type(error).__name__)
        return len(tasks)

    async def _read(self, tenant_id: UUID, task_id: UUID) -> None:
        async with self._database.tenant_transaction(tenant_id) as connection:
            bucket = chosen_bucket(await task_of(connection, task_id), None)
            began = time.monotonic()
            found = await afterwards_of(connection, task_id, bucket)
            spent = timedelta(seconds=time.monotonic() - began)
            much = found.opens.times + found.clicks.times + sum(asdict(found.feedback).values()) > MUCH
            read = {
                "feedback": Jsonb(asdict(found.feedback)),
                "opens": Jsonb(asdict(found.opens)),
                "clicks": Jsonb(asdict(found.clicks)),
                "read": Jsonb({bucket: SPELLED.dump_python(found, mode="json")} if much else {}),
            }
            waits = {"first": self._timing.standing_poll, "longest": LONGEST, "share": SHARE, "spent": spent}
            await connection.execute(WRITE, {"task_id": task_id, **read, **waits})
