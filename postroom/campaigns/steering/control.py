"""Pause, resume, cancel, another pace: one transaction each, for a task or for all that run in a campaign."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.campaigns import task_rows
from postroom.campaigns.models import Task, TaskReason
from postroom.campaigns.planning.drafting import found_task, locked_task
from postroom.campaigns.planning.plan import UNHURRIED, Pace, Plan
from postroom.campaigns.service import found_campaign
from postroom.campaigns.transitions import RUNNING, Action, allows
from postroom.contracts.vocabulary import TaskState
from postroom.database.engine import Connection, Database
from postroom.tenants.gate import Identity

OUTCOMES = {
    Action.PAUSE: "paused",
    Action.RESUME: "resumed",
    Action.CANCEL: "cancelled",
    Action.PACE: "paced",
}


@dataclass(frozen=True, slots=True)
class Signal:
    """What somebody asks of tasks that run; a pace comes with its action only."""

    action: Action
    pace: Pace = UNHURRIED

    @property
    def outcome(self) -> str:
        """What has come of it once it was carried out."""
        return OUTCOMES[self.action]


@dataclass(frozen=True, slots=True)
class TaskControl:
    """Signals of the API; they write Postgres only, and the worker pokes the workflow until it has looked."""

    database: Database

    async def signal(self, who: Identity, task_id: UUID, signal: Signal) -> Task:
        """Pause, resume, cancel or pace one task; returns it as it stands then.

        A cancelled one is `cancelled` when nothing of it was frozen; otherwise it is paused for good, nothing leaves
        any more, and it is cancelled once every open hand-off has been answered.

        Raises:
            NotFound: the tenant has no such task.
            Conflict: its state does not allow it.
            Invalid: the pace makes no sense for its plan.
        """
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            task = await locked_task(connection, task_id, signal.action)
            return await _carry_out(connection, who, task, signal)

    async def signal_all(self, who: Identity, campaign_id: UUID, signal: Signal) -> Sequence[Task]:
        """Do so with every task of a campaign that runs and allows it; returns those, the oldest first.

        Raises:
            NotFound: the tenant has no such campaign.
            Invalid: the pace makes no sense for the plan of one of them.
        """
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            await found_campaign(connection, campaign_id)
            tasks = await task_rows.tasks_of(connection, campaign_id, RUNNING, lock=True)
            return [await _carry_out(connection, who, task, signal) for task in tasks if allows(task, signal.action)]


async def _carry_out(connection: Connection, who: Identity, task: Task, signal: Signal) -> Task:
    now = await task_rows.moment(connection)
    kind, values, detail = _MEANING[signal.action](task, signal.pace)
    if signal.action is Action.PACE:
        signal.pace.check(Plan.read(task.plan), now, place="")
    if values.get("state") == TaskState.CANCELLED:
        values = {**values, "ended_at": now}
    if task.state in RUNNING:
        values = {**values, "owed": True, "next_poke_at": now}
    await task_rows.change(connection, task.id, values)
    await task_rows.note(connection, task, who, (kind, None, detail))
    return await found_task(connection, task.id)


Told = tuple[str, Mapping[str, Any], Mapping[str, Any]]  # the kind of the event, what the row gets, and the detail


def _pause(task: Task, _: Pace) -> Told:
    detail = {"instead_of": task.reason} if task.state is TaskState.PAUSED else {}
    values = {"state": TaskState.PAUSED, "reason": TaskReason.REQUESTED, "held_until": None, "held_reason": None}
    return "paused", values, detail


def _resume(task: Task, _: Pace) -> Told:
    state = TaskState.SCHEDULED if task.frozen_at is None else TaskState.SENDING
    values = {"state": state, "reason": None, "held_until": None, "held_reason": None}
    return "resumed", values, {"paused_because": task.reason}


def _cancel(task: Task, _: Pace) -> Told:
    if not task.is_touched:
        values = {"state": TaskState.CANCELLED, "reason": TaskReason.CANCELLED, "cancel_requested": True}
        return "cancelled", values, {}
    later = {"state": TaskState.PAUSED, "reason": TaskReason.CANCELLING, "cancel_requested": True}
    return "cancel_requested", later, {}


def _set_pace(task: Task, pace: Pace) -> Told:
    return "pace_changed", {"pace": pace.stored, "pace_anchor": None}, {"from": dict(task.pace), "to": pace.stored}


_MEANING = {Action.PAUSE: _pause, Action.RESUME: _resume, Action.CANCEL: _cancel, Action.PACE: _set_pace}
