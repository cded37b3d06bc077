"""Tells how a task stands, who did what with it, and what became of one person in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.campaigns import task_rows
from postroom.campaigns.models import Task, TaskEvent
from postroom.campaigns.pages import counts
from postroom.campaigns.planning.drafting import found_task
from postroom.campaigns.task_rows import TaskFilters, Window
from postroom.database.engine import Database

RECIPIENT = """
SELECT r.seq, r.part, r.domain, d.id AS delivery_id, d.state, d.reason, d.attempt, d.not_before, d.expires_at,
       d.provider, d.ended_at, p.number AS page, p.next_at AS page_next_at
FROM task_recipients r
JOIN deliveries d ON d.id = r.delivery_id
LEFT JOIN task_pages p ON p.task_id = r.task_id AND r.seq BETWEEN p.first_seq AND p.last_seq
WHERE r.tenant_id = current_tenant() AND r.task_id = %(task_id)s AND r.user_id = %(user_id)s
"""
ATTEMPTS = """
SELECT attempt, event, at, provider, phase, code, enhanced, detail FROM delivery_attempts
WHERE delivery_id = %s ORDER BY id
"""
FEEDBACK = (
    "SELECT kind, at, permanent, enhanced, source, detail FROM delivery_feedback WHERE delivery_id = %s ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A task, and its recipients counted by state at the same moment."""

    task: Task
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RecipientStory:
    """What became of one person in a task; without a row they are not in its audience, or that is not frozen yet."""

    task: Task
    row: Mapping[str, Any] | None
    attempts: Sequence[Mapping[str, Any]] = ()
    feedback: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class TaskStories:
    """Reads what tasks of one deployment have come to; every call is one transaction of one tenant."""

    database: Database

    async def standing(self, tenant_id: UUID, task_id: UUID) -> Standing:
        """Return a task with its live counts, or raise NotFound."""
        async with self.database.tenant_transaction(tenant_id) as connection:
            return Standing(await found_task(connection, task_id), await counts(connection, task_id))

    async def page(self, tenant_id: UUID, filters: TaskFilters, window: Window) -> Sequence[Standing]:
        """Return tasks, newest first, each with its live counts."""
        async with self.database.tenant_transaction(tenant_id) as connection:
            tasks = await task_rows.listed(connection, tenant_id, filters, window)
            return [Standing(task, await counts(connection, task.id)) for task in tasks]

    async def events(self, tenant_id: UUID, task_id: UUID, window: Window) -> Sequence[TaskEvent]:
        """Return what was done with a task, newest first, or raise NotFound."""
        async with self.database.tenant_transaction(tenant_id) as connection:
            await found_task(connection, task_id)
            return await task_rows.events_of(connection, task_id, window)

    async def recipient(self, tenant_id: UUID, task_id: UUID, user_id: str) -> RecipientStory:
        """Tell why somebody got a task's message or did not; raises NotFound for the task only."""
        async with self.database.tenant_transaction(tenant_id) as connection:
            task = await found_task(connection, task_id)
            asked = {"task_id": task_id, "user_id": user_id}
            row = await (await connection.execute(RECIPIENT, asked)).fetchone()
            if row is None:
                return RecipientStory(task, None)
            attempts = await (await connection.execute(ATTEMPTS, (row["delivery_id"],))).fetchall()
            feedback = await (await connection.execute(FEEDBACK, (row["delivery_id"],))).fetchall()
            return RecipientStory(task, row, attempts, feedback)
