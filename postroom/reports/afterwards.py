"""What came back after acceptance, read at most as often as it is worth: its rows are as many as its answers.

A million recipients of whom half open cost seconds; a thousand cost nothing. So what was read is used again for a few
times as long as reading took, the workers keep what they read of tasks with very much, and it says of which moment it
is.
"""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import TypeAdapter

from postroom.database.engine import Connection, Database
from postroom.reports.counting import ROOM
from postroom.reports.engagement import feedback_of, groups_of, links_of, touches_of
from postroom.reports.report import Afterwards

WORTH = 5  # used again for so many times the time it took
FREE_SECONDS = 0.2  # what takes less is never used again
MOST_REMEMBERED = 200
FRESH = timedelta(minutes=1)  # what the workers read since then is as good
PATIENCE_SECONDS = 1.0  # for a reading of our own, before what the workers read is taken

KEPT = "SELECT read -> %(bucket)s AS read FROM task_standings WHERE task_id = %(task_id)s"
SPELLED = TypeAdapter(Afterwards)
Question = tuple[UUID, UUID, str]


@dataclass(frozen=True, slots=True)
class Known:
    """What was read, and until when it is good enough."""

    afterwards: Afterwards
    until: float


async def afterwards_of(connection: Connection, task_id: UUID, bucket: str) -> Afterwards:
    """Read all that came back of a task."""
    await connection.execute(ROOM)
    return Afterwards(
        datetime.now(UTC),
        await feedback_of(connection, [task_id]),
        await touches_of(connection, [task_id], bucket),
        await groups_of(connection, task_id),
        await links_of(connection, task_id),
    )


class AfterwardsReader:
    """Reads what came back; those who ask the same at once share one reading."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[Question, Known] = OrderedDict()
        self._reading: dict[Question, asyncio.Task[Afterwards]] = {}

    async def read(self, tenant_id: UUID, task_id: UUID, bucket: str) -> Afterwards:
        """Return what came back of a task that is the tenant's: as of now, or as the workers have read it lately.

        With so much that a reading takes longer than anybody waits, it goes on behind the answer, for the next one.
        """
        question = (tenant_id, task_id, bucket)
        known = self._known.get(question)
        if known and known.until > time.monotonic():
            return known.afterwards
        kept = await self._kept(question)
        if kept and kept.as_of > datetime.now(UTC) - FRESH:
            return kept
        if question not in self._reading:
            work = self._reading[question] = asyncio.create_task(self._read(question))
            work.add_done_callback(lambda done: self._done(question, done))
        reading = self._reading[question]
        if kept is None:
            return await asyncio.shield(reading)
        await asyncio.wait({reading}, timeout=PATIENCE_SECONDS)
        return reading.result() if reading.done() else kept

    async def _kept(self, question: Question) -> Afterwards | None:
        tenant_id, task_id, bucket = question
        async with self._database.tenant_transaction(tenant_id) as connection:
            asked = {"task_id": task_id, "bucket": bucket}
            row = await (await connection.execute(KEPT, asked)).fetchone()
        return SPELLED.validate_python(row["read"]) if row and row["read"] else None

    async def _read(self, question: Question) -> Afterwards:
        tenant_id, task_id, bucket = question
        async with self._database.large_question(tenant_id) as connection:
            began = time.monotonic()
            afterwards = await afterwards_of(connection, task_id, bucket)
        spent = time.monotonic() - began
        if spent > FREE_SECONDS:
            self._known[question] = Known(afterwards, time.monotonic() + WORTH * spent)
            while len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return afterwards

    def _done(self, question: Question, work: asyncio.Task[Afterwards]) -> None:
        del self._reading[question]
        work.cancelled() or work.exception()  # whoever waits gets it; if nobody does any more, it is not news
