"""Accepting: requests that arrive together are written in one transaction, and each is answered after its commit."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.errors import (
    DataError,
    DeadlockDetected,
    ForeignKeyViolation,
    IntegrityError,
    ReadOnlySqlTransaction,
    SerializationFailure,
)

from postroom.database.engine import Database, Role
from postroom.database.grouping import GroupCommit
from postroom.errors import Conflict, Invalid, PostroomError, Unauthenticated, Unavailable
from postroom.notifications.backlog import Backlog
from postroom.notifications.bell import Bell
from postroom.notifications.insertion import take_keys, write_notifications
from postroom.notifications.replay import earlier_answer
from postroom.notifications.request import Draft

log = logging.getLogger(__name__)

GROUP_LIMIT = 200
HEAVY_GROUP_LIMIT = 2
HEAVY_BYTES = 64_000  # heavier drafts travel in small groups of their own, so that the others do not wait for them
ANSWER_SECONDS = 5.0
LANES = 2  # groups written at once: a light one and a heavy one


@dataclass(frozen=True, slots=True)
class Accepted:
    """A notification that is in the record; `replayed` when an earlier request put it there."""

    id: UUID
    accepted_at: datetime
    due_at: datetime
    is_scheduled: bool
    replayed: bool = False


@dataclass(slots=True)
class _Asked:
    """A draft in the queue; abandoned once its caller was told that the database is away."""

    draft: Draft
    abandoned: bool = False


Done = TypeVar("Done")

AWAY = (psycopg.OperationalError, psycopg.InterfaceError, ReadOnlySqlTransaction, Unavailable)
Outcome = datetime | PostroomError | None  # accepted at, refused because, or not the first under its key


class Accepting:
    """Writes drafts for all tenants of this process."""

    def __init__(self, database: Database, bell: Bell, backlog: Backlog) -> None:
        self._database = database
        self._bell = bell
        self._backlog = backlog
        self._light = GroupCommit(self._write_group, GROUP_LIMIT)
        self._heavy = GroupCommit(self._write_group, HEAVY_GROUP_LIMIT)

    async def accept(self, draft: Draft) -> Accepted:
        """Write a draft, or find what was written under its idempotency key.

        Raises:
            Unavailable: the database did not confirm in time.
            Invalid: the key named another request, or the database cannot store a value.
        """
        outcome = await self._ask(draft)
        if isinstance(outcome, PostroomError):
            raise outcome
        if outcome is not None:
            return accepted(draft, draft.id, outcome)
        earlier = await earlier_answer(self._database, draft.tenant_id, draft.key)
        if earlier is None:
            raise Conflict("The first request under this key is not finished.", code="idempotency_in_progress")
        return accepted(draft, earlier.id, earlier.accepted_at, replayed=True)

    async def _ask(self, draft: Draft) -> Outcome:
        asked = _Asked(draft)
        lane = self._heavy if draft.weight > HEAVY_BYTES else self._light
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await lane.ask(asked)
        except TimeoutError:
            asked.abandoned = True
            raise unconfirmed() from None

    async def _write_group(self, group: Sequence[_Asked]) -> list[Outcome]:
        outcomes = await self._write(group)
        return [outcomes.get(asked.draft.id) for asked in group]

    async def _write(self, group: Sequence[_Asked]) -> dict[UUID, Outcome]:
        """Write all of them; when that fails for what one of them holds, write each by itself."""
        try:
            return await self._commit(group)
        except (DeadlockDetected, SerializationFailure, DataError, IntegrityError) as error:
            if len(group) == 1:
                log.warning("a draft was not stored: %s", type(error).__name__)
                return {group[0].draft.id: refusal_of(error)}
            outcomes: dict[UUID, Outcome] = {}
            for asked in group:
                outcomes |= await self._write([asked])
            return outcomes
        except AWAY as error:
            log.warning("nothing was stored: %s", type(error).__name__)
            return {asked.draft.id: unconfirmed() for asked in group}

    async def _commit(self, group: Sequence[_Asked]) -> dict[UUID, Outcome]:
        async with self._database.transaction(Role.ACCEPT) as connection:
            drafts = [asked.draft for asked in group if not asked.abandoned]
            first = await take_keys(connection, drafts)
            new = [draft for draft in drafts if draft.key is None or draft.id in first]
            accepted_at = await write_notifications(connection, new) if new else None
        if accepted_at is not None:
            self._announce(new, accepted_at)
        return dict.fromkeys((draft.id for draft in new), accepted_at)

    def _announce(self, drafts: Sequence[Draft], accepted_at: datetime) -> None:
        due = sum(not draft.request.schedule.is_later_than(accepted_at) for draft in drafts)
        if due:
            self._backlog.add(due, accepted_at)
            self._bell.ring()


async def answered_in_time(work: Coroutine[Any, Any, Done]) -> Done:
    """Wait for an answer so long and no longer; what comes later is dropped, and the caller knows that it may exist.

    Cancelling a query on a frozen server alone can take longer than anybody waits.

    Raises:
        Unavailable: it took too long.
    """
    task = asyncio.create_task(work)
    done, _ = await asyncio.wait({task}, timeout=ANSWER_SECONDS)
    if done:
        return task.result()
    task.add_done_callback(lambda late: late.cancelled() or late.exception())
    task.cancel()
    raise unconfirmed()


def accepted(draft: Draft, notification_id: UUID, accepted_at: datetime, *, replayed: bool = False) -> Accepted:
    """Answer for a draft; the same words again when the same request comes again."""
    schedule = draft.request.schedule
    return Accepted(
        notification_id, accepted_at, schedule.due_at(accepted_at), schedule.is_later_than(accepted_at), replayed
    )


def unconfirmed() -> Unavailable:
    """Answer when the commit was not confirmed: it may or may not have happened, and a key makes repeating safe."""
    return Unavailable("The database did not confirm. Repeat the request with the same Idempotency-Key.", retry_after=5)


def refusal_of(error: Exception) -> PostroomError:
    """Answer for what the database would not store."""
    if isinstance(error, ForeignKeyViolation):
        return Unauthenticated("This key's tenant is gone.", code="key_unknown")
    if isinstance(error, DeadlockDetected | SerializationFailure):
        return unconfirmed()
    return Invalid("The database cannot store one of the values.", code="value_not_storable")
