"""Cancels what is left of a job, retries what failed of it: set by set, each under the one lock order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from postroom.contracts.vocabulary import MessageClass, NotificationState
from postroom.database.engine import Connection, Database
from postroom.deliveries.settling import correct_some
from postroom.errors import Conflict, NotFound
from postroom.jobs.reception import RATE_REASON
from postroom.notifications.changes import reopen, withdraw
from postroom.notifications.placeholders import WORDLESS
from postroom.rates import Rate
from postroom.timing import Timing

SET = 250  # notifications in one transaction: about 30 ms, in which nobody else can have them

JOB = "SELECT id FROM jobs WHERE id = %(job_id)s"

NOTE_WISH = """
UPDATE jobs SET cancel_requested_at = now()
WHERE id = %(job_id)s AND EXISTS (SELECT FROM notifications WHERE job_id = %(job_id)s AND state = 'open')
"""

NEXT = """
SELECT id, user_id, reason, class FROM notifications
WHERE job_id = %(job_id)s AND state = %(state)s AND id > %(after)s
ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE
"""

DELIVERIES = "SELECT id FROM deliveries WHERE notification_id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE"

# A provider has it: whoever carries it settles it as sent.
GONE = """
SELECT n.id FROM notifications n WHERE n.id = ANY(%(ids)s) AND n.strategy = 'first' AND EXISTS (
    SELECT FROM deliveries d WHERE d.notification_id = n.id AND d.state = 'accepted')
"""

FIRST = UUID(int=0)

Row = Mapping[str, Any]


@dataclass(slots=True)
class Cancelling:
    """What a cancellation found open, by what it came to."""

    cancelled: int = 0  # nothing was being handed off
    cancelling: int = 0  # an open hand-off decides
    too_late: int = 0  # a provider had it already

    def add(self, gone: int, ends: Mapping[UUID, NotificationState]) -> None:
        """Count one set."""
        states = list(ends.values())
        cancelled, cancelling = states.count(NotificationState.CANCELLED), states.count(NotificationState.OPEN)
        self.cancelled += cancelled
        self.cancelling += cancelling
        self.too_late += gone + len(states) - cancelled - cancelling


@dataclass(slots=True)
class Retrying:
    """What a retry found failed, by what it came to."""

    retried: int = 0
    already_sent: int = 0  # late evidence: a provider had it after all
    rate_limited: int = 0  # addressed too often still; nothing changed
    no_words: int = 0  # a variable was missing or did not fit, so there is nothing to send


@dataclass(slots=True)
class _Sets:
    """Where a walk through a job's notifications stands, in the order of their ids."""

    job_id: UUID
    state: NotificationState
    after: UUID = field(default=FIRST)

    async def lock_next(self, connection: Connection) -> list[Row]:
        """Lock the next ones with their deliveries; none when these were the last."""
        asked = {"job_id": self.job_id, "state": self.state, "after": self.after, "limit": SET}
        rows = await (await connection.execute(NEXT, asked)).fetchall()
        if rows:
            self.after = rows[-1]["id"]
            await connection.execute(DELIVERIES, {"ids": [row["id"] for row in rows]})
        return list(rows)


class JobControl:
    """Control actions on whole jobs. Broken off in the middle, they are repeated: each set is done or untouched."""

    def __init__(self, database: Database, timing: Timing, per_user: Rate) -> None:
        self._database = database
        self._timing = timing
        self._per_user = per_user

    async def cancel(self, tenant_id: UUID, job_id: UUID) -> Cancelling:
        """Cancel whatever has not gone; the counts are of what was open.

        Raises:
            NotFound: the tenant has no such job.
            Conflict: nothing of it is open (`already_final`).
        """
        done, sets = Cancelling(), _Sets(job_id, NotificationState.OPEN)
        await self._find(tenant_id, job_id, NOTE_WISH)
        while await self._cancel_next(tenant_id, sets, done):
            pass
        if sets.after == FIRST:
            raise Conflict("Everything of this job has ended already.", code="already_final")
        return done

    async def retry(self, tenant_id: UUID, job_id: UUID) -> Retrying:
        """Open again whatever failed; what a provider has accepted is never sent again.

        Raises:
            NotFound: the tenant has no such job.
            Conflict: nothing of it has failed (`not_failed`).
        """
        done, sets = Retrying(), _Sets(job_id, NotificationState.FAILED)
        await self._find(tenant_id, job_id)
        while await self._retry_next(tenant_id, sets, done):
            pass
        if sets.after == FIRST:
            raise Conflict("Nothing of this job has failed.", code="not_failed")
        return done

    async def _find(self, tenant_id: UUID, job_id: UUID, note: str | None = None) -> None:
        async with self._database.tenant_transaction(tenant_id) as connection:
            if await (await connection.execute(JOB, {"job_id": job_id})).fetchone() is None:
                raise NotFound("There is no such job.")
            if note:
                await connection.execute(note, {"job_id": job_id})

    async def _cancel_next(self, tenant_id: UUID, sets: _Sets, done: Cancelling) -> bool:
        async with self._database.tenant_transaction(tenant_id) as connection:
            ids = [row["id"] for row in await sets.lock_next(connection)]
            if not ids:
                return False
            gone = {row["id"] async for row in await connection.execute(GONE, {"ids": ids})}
            ends = await withdraw(connection, [one for one in ids if one not in gone])
        done.add(len(gone), ends)
        return True

    async def _retry_next(self, tenant_id: UUID, sets: _Sets, done: Retrying) -> bool:
        async with self._database.tenant_transaction(tenant_id) as connection:
            rows = await sets.lock_next(connection)
            if not rows:
                return False
            sent = await correct_some(connection, [row["id"] for row in rows])
            failed = [row for row in rows if row["id"] not in sent and row["reason"] not in WORDLESS]
            going = [row["id"] for row in failed if self._may_go(tenant_id, row)]
            await reopen(connection, going, self._life(rows))
        done.retried += len(going)
        done.already_sent += len(sent)
        done.rate_limited += len(failed) - len(going)
        done.no_words += len(rows) - len(sent) - len(failed)
        return True

    def _may_go(self, tenant_id: UUID, row: Row) -> bool:
        """Whoever was refused for their rate is counted now; the others were when they were accepted."""
        return row["reason"] != RATE_REASON or self._per_user.hit((tenant_id, row["user_id"])).allowed

    def _life(self, rows: Sequence[Row]) -> timedelta:
        """A job's notifications are of one class."""
        return self._timing.life(MessageClass(rows[0]["class"]))
