"""The review of a task: somebody else than its authors approves exactly the terms and the audience they saw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.campaigns import task_rows
from postroom.campaigns.models import Task, TaskReason
from postroom.campaigns.planning.checking import LaunchChecks
from postroom.campaigns.planning.counting import count_audience
from postroom.campaigns.planning.drafting import NO_REVIEW, found_task, locked_task
from postroom.campaigns.service import hold_open_for
from postroom.campaigns.transitions import Action
from postroom.contracts.vocabulary import TaskState
from postroom.database.engine import Connection, Database
from postroom.errors import Conflict, Forbidden
from postroom.templates.rules import review_required
from postroom.tenants.gate import Identity

# People come and go: so far the audience may be from the one that was seen, and an approval of it still counts.
TOLERATED_SHARE = 0.05
TOLERATED_PEOPLE = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """What whoever approves has looked at."""

    content_hash: bytes
    audience: int


@dataclass(frozen=True, slots=True)
class Approvals:
    """Reviews of one deployment's tasks; every step is one transaction that holds the task's row."""

    database: Database
    checks: LaunchChecks

    async def submit(self, who: Identity, task_id: UUID) -> Task:
        """Ask for a review, or ask again: the contents are pinned and the audience counted as they are now.

        Raises:
            NotFound: the tenant has no such task.
            Conflict: it was launched, or its campaign is archived.
            Invalid: it could not be launched as it is.
        """
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            await hold_open_for(connection, task_id)
            task = await locked_task(connection, task_id, Action.SUBMIT)
            return await self.submit_locked(connection, who, task)

    async def submit_locked(self, connection: Connection, who: Identity, task: Task) -> Task:
        """Do so with a task that the caller's transaction has locked."""
        await task_rows.change(connection, task.id, NO_REVIEW)
        task, now = await found_task(connection, task.id), await task_rows.moment(connection)
        pins = await self.checks.pass_on(connection, who, task, now)
        counted = await count_audience(connection, task)
        values = {
            "state": TaskState.IN_REVIEW,
            "submitted_by": who.key_id,
            "submitted_at": now,
            "counted": counted,
            "pinned": pins.pinned,
            "content_hash": pins.content_hash,
        }
        await task_rows.change(connection, task.id, values)
        detail = {"content_hash": pins.content_hash.hex(), "audience": counted}
        await task_rows.note(connection, task, who, ("submitted", None, detail))
        return await found_task(connection, task.id)

    async def approve(self, who: Identity, task_id: UUID, seen: Seen) -> Task:
        """Let a task be launched.

        Raises:
            NotFound: the tenant has no such task.
            Forbidden: the key wrote or submitted it, and the tenant wants a second pair of eyes.
            Conflict: it is not in review, says something else than was seen (`content_changed`), or means more or
                fewer people by now (`audience_changed`).
        """
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            task = await locked_task(connection, task_id, Action.APPROVE)
            if seen.content_hash != task.content_hash:
                raise Conflict("The task says something else than what was seen.", code="content_changed")
            if task.is_written_by(who.key_id) and await review_required(connection, who.tenant_id):
                detail = "Somebody else than the authors of the task must approve."
                raise Forbidden(detail, code="author_cannot_approve")
            counted = await count_audience(connection, task)
            if is_off(counted, seen.audience):
                detail = f"The rule means {counted} people by now; submit the task again."
                raise Conflict(detail, code="audience_changed")
            now = await task_rows.moment(connection)
            values = {"approved_by": who.key_id, "approved_at": now, "approved_hash": seen.content_hash}
            values |= {"approved_audience": seen.audience, "reason": None}
            await task_rows.change(connection, task_id, values)
            told = {"content_hash": seen.content_hash.hex(), "audience": seen.audience}
            await task_rows.note(connection, task, who, ("approved", None, told))
            return await found_task(connection, task_id)

    async def reject(self, who: Identity, task_id: UUID, reason: str | None) -> Task:
        """Turn a task down, approved or not: it is a draft again, for its authors to change.

        Raises:
            NotFound: the tenant has no such task.
            Conflict: it is not in review.
        """
        told = {"said": reason} if reason else {}
        return await self._back(who, task_id, (Action.REJECT, {"reason": TaskReason.REJECTED}), told)

    async def withdraw(self, who: Identity, task_id: UUID) -> Task:
        """Take a task out of its review, approved or not. Raises as `reject`."""
        return await self._back(who, task_id, (Action.WITHDRAW, {}), {})

    async def _back(
        self, who: Identity, task_id: UUID, way: tuple[Action, Mapping[str, Any]], told: Mapping[str, Any]
    ) -> Task:
        action, values = way
        kind = {Action.REJECT: "rejected", Action.WITHDRAW: "withdrawn"}[action]
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            task = await locked_task(connection, task_id, action)
            await task_rows.change(connection, task_id, {**NO_REVIEW, "state": TaskState.DRAFT, **values})
            await task_rows.note(connection, task, who, (kind, None, told))
            return await found_task(connection, task_id)


def is_off(counted: int, seen: int) -> bool:
    """Tell whether an audience is another one than was seen: by more than ten people and by more than a twentieth."""
    return abs(counted - seen) > max(TOLERATED_PEOPLE, TOLERATED_SHARE * seen)
