"""Watches tasks for whoever wants to see them move: one reader for each task, however many look on."""

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Error as DatabaseError

from postroom.database.engine import Database
from postroom.errors import PostroomError, TooMany
from postroom.loops import end
from postroom.reports.engagement import Feedback, Touches, feedback_of, total, touches_of
from postroom.reports.horizon import end_of, latest_wait
from postroom.reports.summary import Summary, summary_of
from postroom.reports.tasks import task_of
from postroom.statistics.question import Bucket
from postroom.tracking.meaning import CLICK, OPEN

EVERY_SECONDS = 1.0
REST = 3  # so many times as long as a look took nobody looks
TURN_SECONDS = 60.0  # for a turn among the tenant's large questions
SHARE = 10  # what came back is read at most for a tenth of the time
PACE_SECONDS = 60.0
AGAIN_SECONDS = 5
Place = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Sight:
    """What a watcher sees of a task."""

    summary: Summary
    feedback: Feedback
    opens: Touches
    clicks: Touches
    per_minute: float | None
    latest_wait: datetime | None

    @property
    def told(self) -> tuple[Any, ...]:
        """What is news when it differs: all but the moment and the pace."""
        task = self.summary.task
        standing = (task.state, task.reason, task.held_until, task.held_reason, self.summary.audience)
        return (*standing, self.summary.counts, self.feedback, self.opens, self.clicks)

    @property
    def estimated_end(self) -> datetime | None:
        """When all will be accounted for at this pace, but not before the last one may leave."""
        remaining = sum(self.summary.counts.values()) - self.summary.final
        return end_of(self.summary.task.as_of, remaining, self.per_minute, self.latest_wait)


class Watch:
    """The one reader of a task, and what it saw last."""

    def __init__(self, database: Database, place: Place) -> None:
        self._database = database
        self._tenant_id, self._task_id = place
        self._changed = asyncio.Event()
        self._ended: deque[tuple[float, int]] = deque()
        self._afterwards = (Feedback(), Touches(), Touches())
        self._read_again = 0.0
        self.sight: Sight | None = None
        self.number = 0
        self.closed = False
        self.watchers = 0
        self.work = asyncio.create_task(self._run())

    async def news(self, after: int, patience: float) -> bool:
        """Wait for something newer than the sight number `after`, or the end; tells whether there is."""
        if self.number <= after and not self.closed:
            try:
                await asyncio.wait_for(self._changed.wait(), patience)
            except TimeoutError:
                return False
        return True

    def close(self) -> None:
        """Let everybody go."""
        self.closed = True
        self._changed.set()

    async def _run(self) -> None:
        """Read until the task is over; when the database is away, whoever watches is let go and comes again."""
        try:
            while self.sight is None or not self.sight.summary.task.over:
                began = time.monotonic()
                await self._look()
                await asyncio.sleep(max(EVERY_SECONDS, REST * (time.monotonic() - began)))
        except (PostroomError, DatabaseError):
            pass
        finally:
            self.close()

    async def _look(self) -> None:
        async with self._database.large_question(self._tenant_id, TURN_SECONDS) as connection:
            summary = await summary_of(connection, self._task_id)
            latest = await latest_wait(connection, self._task_id)
            began = time.monotonic()
            if began >= self._read_again or summary.task.over:
                moments = await touches_of(connection, [self._task_id], Bucket.DAY)
                feedback = await feedback_of(connection, [self._task_id])
                self._afterwards = (feedback, total(moments, OPEN), total(moments, CLICK))
                self._read_again = time.monotonic() + (time.monotonic() - began) * SHARE
        sight = Sight(summary, *self._afterwards, self._pace(summary.final), latest)
        if self.sight is None or sight.told != self.sight.told:
            self.sight, self.number = sight, self.number + 1
            self._changed.set()
            self._changed = asyncio.Event()

    def _pace(self, final: int) -> float | None:
        """How many ended a minute, over the last one."""
        now = time.monotonic()
        self._ended.append((now, final))
        while now - self._ended[0][0] > PACE_SECONDS:
            self._ended.popleft()
        since, then = self._ended[0]
        return round((final - then) * 60 / (now - since), 2) if now > since and final > then else None


class Watching:
    """The watches of one process, and who looks on."""

    def __init__(self, database: Database, streams_per_key: int) -> None:
        self._database = database
        self._limit = streams_per_key
        self._watches: dict[Place, Watch] = {}
        self._keys: Counter[UUID] = Counter()
        self._closing = False

    @property
    def size(self) -> tuple[int, int]:
        """How many readers there are, and how many look on."""
        return len(self._watches), self._keys.total()

    async def enter(self, tenant_id: UUID, task_id: UUID, key_id: UUID) -> Watch:
        """Look on; whoever enters leaves again.

        Raises:
            NotFound: there is no such task.
            TooMany: the key watches as much as it may.
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            await task_of(connection, task_id)
        if self._keys[key_id] >= self._limit:
            detail = f"A key watches at most {self._limit} reports at once."
            raise TooMany(detail, code="too_many_streams", retry_after=AGAIN_SECONDS)
        watch = self._watches.get((tenant_id, task_id))
        if watch is None or watch.closed:
            watch = self._watches[tenant_id, task_id] = Watch(self._database, (tenant_id, task_id))
        if self._closing:
            watch.close()
        watch.watchers += 1
        self._keys[key_id] += 1
        return watch

    async def leave(self, tenant_id: UUID, task_id: UUID, key_id: UUID, watch: Watch) -> None:
        """Look away; the last one ends the reading."""
        watch.watchers -= 1
        self._keys[key_id] -= 1
        if not self._keys[key_id]:
            del self._keys[key_id]
        if not watch.watchers:
            if self._watches.get((tenant_id, task_id)) is watch:
                del self._watches[tenant_id, task_id]
            await end(watch.work)

    def close(self) -> None:
        """Let everybody go at once: the process drains."""
        self._closing = True
        for watch in self._watches.values():
            watch.close()
