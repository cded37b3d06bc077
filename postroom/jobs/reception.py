"""The counter for many at once: one commit for the whole batch, and one job for however often it is asked for."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from psycopg.errors import DataError, DeadlockDetected, IntegrityError, SerializationFailure

from postroom.contracts.vocabulary import NotificationState
from postroom.database.engine import Connection, Database
from postroom.errors import Conflict, Invalid, PostroomError, TooLarge
from postroom.jobs.batch import Batch
from postroom.jobs.casting import find_misfits, resolved
from postroom.jobs.endpoints import check_endpoints
from postroom.jobs.insertion import write_job
from postroom.jobs.models import Job
from postroom.jobs.standing import JobStanding
from postroom.jobs.wording import find_gaps
from postroom.notifications.accepting import AWAY, answered_in_time, refusal_of, unconfirmed
from postroom.notifications.backlog import Backlog
from postroom.notifications.bell import Bell
from postroom.notifications.replay import earlier_answer, take_key
from postroom.notifications.request import IdempotencyKey
from postroom.rates import Rate
from postroom.subscriptions.classes import Classes

log = logging.getLogger(__name__)

AT_ONCE = 4  # batches being written; more of them only wait for the same disk, and would hold connections meanwhile
RATE_REASON = "user_rate_limited"


@dataclass(frozen=True, slots=True)
class Received:
    """A job that is in the record, and how it began; without that when an earlier request had put it there."""

    job_id: UUID
    beginning: JobStanding | None = None


class BatchReception:
    """Takes batches for one process."""

    def __init__(  # noqa: PLR0913 - what a counter stands on
        self, database: Database, bell: Bell, backlog: Backlog, per_user: Rate, classes: Classes
    ) -> None:
        self._database = database
        self._classes = classes
        self._bell = bell
        self._backlog = backlog
        self._per_user = per_user
        self._free = asyncio.Semaphore(AT_ONCE)

    async def receive(self, batch: Batch, key: IdempotencyKey | None) -> Received:
        """Write a batch, or find the job that was written under its key.

        Whoever was addressed too often, or has variables that do not fill the words, is refused alone and counted as
        failed. A repeated request gets its job whatever limits and clocks say by now.

        Raises:
            Invalid: nothing could carry it, its time has passed, or the key named another request.
            TooLarge: it is more than one batch may write.
            TooMany: there is no room for all of it.
            Unavailable: the database did not confirm in time.
        """
        try:
            batch = await self._judged(batch)
        except (Invalid, TooLarge) as refusal:
            return await self._replay_or(refusal, batch, key)
        if full := self._backlog.refusal(len(batch.recipients)):
            return await self._replay_or(full, batch, key)
        if beginning := await answered_in_time(self._write(batch, key)):
            return Received(batch.id, beginning)
        unseen = Conflict("The first request under this key is not finished.", code="idempotency_in_progress")
        return await self._replay_or(unseen, batch, key)

    async def _judged(self, batch: Batch) -> Batch:
        batch = await self._classes.settled(batch)
        await batch.check(datetime.now(UTC))
        batch = await answered_in_time(resolved(self._database, batch))
        gaps = await find_misfits(batch) if batch.resolved else await find_gaps(batch)
        await check_endpoints(self._database, batch)
        return replace(batch, gaps=gaps)

    async def _replay_or(self, refusal: PostroomError, batch: Batch, key: IdempotencyKey | None) -> Received:
        earlier = await earlier_answer(self._database, batch.tenant_id, key)
        if earlier is None:
            raise refusal
        return Received(earlier.id)

    async def _write(self, batch: Batch, key: IdempotencyKey | None) -> JobStanding | None:
        """Write it in one transaction; None when it is not the first under its key."""
        counted: list[str] = []
        accepted_at = None
        try:
            async with self._free, self._database.tenant_transaction(batch.tenant_id) as connection:
                if key is not None and not await take_key(connection, batch.tenant_id, key, {"job_id": batch.id}):
                    return None
                moment = await self._write_job(connection, batch, counted)
            accepted_at = moment
        except (DeadlockDetected, SerializationFailure, DataError, IntegrityError) as error:
            log.warning("a batch was not stored: %s", type(error).__name__)
            raise refusal_of(error) from error
        except AWAY as error:
            raise unconfirmed() from error
        finally:
            if accepted_at is None:
                self._forget(batch, counted)
        if counted and not batch.request.schedule.is_later_than(accepted_at):
            self._backlog.add(len(counted), accepted_at)
            self._bell.ring()
        return beginning(batch, accepted_at, len(counted))

    async def _write_job(self, connection: Connection, batch: Batch, counted: list[str]) -> datetime:
        """Count everybody against their rate, now that it is sure that this is no repetition; then write."""
        users = [recipient.user_id for recipient in batch.recipients if recipient.user_id not in batch.gaps]
        counted += [user for user in users if self._per_user.hit((batch.tenant_id, user)).allowed]
        return await write_job(connection, batch, set(users) - set(counted), RATE_REASON)

    def _forget(self, batch: Batch, counted: list[str]) -> None:
        for user_id in counted:
            self._per_user.give_back((batch.tenant_id, user_id))


def beginning(batch: Batch, accepted_at: datetime, going: int) -> JobStanding:
    """Say how a job stands at its commit: nothing is asked that could fail once it is done."""
    total = len(batch.recipients)
    job = Job(id=batch.id, tenant_id=batch.tenant_id, kind="batch", total=total, created_at=accepted_at)
    counts = dict.fromkeys(NotificationState, 0)
    return JobStanding(job, counts | {NotificationState.OPEN: going, NotificationState.FAILED: total - going})
