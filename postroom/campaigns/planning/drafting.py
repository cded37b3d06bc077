"""Tasks as the API writes and reads them: their terms may change while they are drafts, one version after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from postroom.audiences.references import check_references
from postroom.audiences.rules import Selection, compile_rule
from postroom.audiences.saved import expanded
from postroom.campaigns import task_rows
from postroom.campaigns.models import Task
from postroom.campaigns.planning.checking import merged
from postroom.campaigns.planning.plan import AT_ONCE, UNHURRIED
from postroom.campaigns.planning.terms import Terms
from postroom.campaigns.service import hold_open
from postroom.campaigns.task_rows import TaskFilters, Window
from postroom.campaigns.transitions import Action, require
from postroom.contracts.vocabulary import MessageClass
from postroom.database.engine import Connection, Database
from postroom.errors import Conflict, Invalid, NotFound
from postroom.identity import new_id
from postroom.notifications.replay import named_before
from postroom.notifications.request import IdempotencyKey
from postroom.subscriptions.kind_repository import classes_of
from postroom.tenants.gate import Identity
from postroom.timing import Timing


@dataclass(frozen=True, slots=True)
class Drafts:
    """Tasks of one deployment, each seen by one tenant only; every call is one transaction."""

    database: Database
    timing: Timing

    async def add(
        self, who: Identity, campaign_id: UUID, terms: Terms, key: IdempotencyKey | None
    ) -> tuple[Task, bool]:
        """Make a draft, or return the task an earlier request under the key made, and whether it did.

        Raises:
            NotFound: the tenant has no such campaign.
            Conflict: it is archived.
            Invalid: the terms contradict themselves.
        """
        made = new_id()
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            if earlier := await named_before(connection, who.tenant_id, key, {"notification_id": made}):
                return await found_task(connection, earlier.id), True
            await hold_open(connection, campaign_id)
            return await self.write(connection, who, (made, campaign_id), terms), False

    async def write(self, connection: Connection, who: Identity, ids: tuple[UUID, UUID], terms: Terms) -> Task:
        """Insert a draft in the caller's transaction; `ids` are the task's and its campaign's, which is held."""
        task_id, campaign_id = ids
        values = await self._columns(connection, who, terms)
        names = {"id": task_id, "tenant_id": who.tenant_id, "campaign_id": campaign_id, "created_by": who.key_id}
        await task_rows.add(connection, names | values)
        task = await found_task(connection, task_id)
        await task_rows.note(connection, task, who, ("created", None, {}))
        return task

    async def get(self, tenant_id: UUID, task_id: UUID) -> Task:
        """Return a task, or raise NotFound."""
        async with self.database.tenant_transaction(tenant_id) as connection:
            return await found_task(connection, task_id)

    async def page(self, tenant_id: UUID, filters: TaskFilters, window: Window) -> Sequence[Task]:
        """Return tasks, newest first."""
        async with self.database.tenant_transaction(tenant_id) as connection:
            return await task_rows.listed(connection, tenant_id, filters, window)

    async def replace(self, who: Identity, task_id: UUID, terms: Terms, version: int) -> Task:
        """Write the terms of a draft anew, on top of the version that was read.

        Raises:
            NotFound: the tenant has no such task.
            Conflict: it is no draft, or somebody else was faster (`version_conflict`).
            Invalid: the terms contradict themselves.
        """
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            task = await locked_task(connection, task_id, Action.CHANGE)
            if task.version != version:
                raise Conflict(f"The task is at version {task.version} by now.", code="version_conflict")
            values = await self._columns(connection, who, terms)
            editors = sorted({*task.editors, who.key_id})
            await task_rows.change(
                connection, task_id, values | NO_REVIEW | {"version": version + 1, "editors": editors}
            )
            await task_rows.note(connection, task, who, ("changed", None, {"version": version + 1}))
            return await found_task(connection, task_id)

    async def remove(self, who: Identity, task_id: UUID) -> None:
        """Delete a draft.

        Raises:
            NotFound: the tenant has no such task.
            Conflict: it is no draft.
        """
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            task = await locked_task(connection, task_id, Action.DELETE)
            await task_rows.note(connection, task, who, ("deleted", None, {}))
            await task_rows.remove(connection, task_id)

    async def duplicate(self, who: Identity, task_id: UUID, key: IdempotencyKey | None) -> tuple[Task, bool]:
        """Make a draft with the terms of a task, whatever has become of that; a plan that has passed is left out.

        Raises:
            NotFound: the tenant has no such task.
            Conflict: its campaign is archived.
        """
        made = new_id()
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            if earlier := await named_before(connection, who.tenant_id, key, {"notification_id": made}):
                return await found_task(connection, earlier.id), True
            task = await found_task(connection, task_id)
            await hold_open(connection, task.campaign_id)
            copy = await self.write(connection, who, (made, task.campaign_id), _renewed(Terms.of(task)))
            detail = {"task_id": str(task_id)}
            await task_rows.note(connection, copy, who, ("duplicated", None, detail))
            return copy, False

    async def _columns(self, connection: Connection, who: Identity, terms: Terms) -> dict[str, Any]:
        declared = (await classes_of(connection, who.tenant_id)).get(terms.notification_type or "")
        message_class = terms.message_class or declared or MessageClass.MARKETING
        rule = await expanded(connection, who.tenant_id, terms.rule)
        settled = replace(terms, message_class=MessageClass(message_class).value, rule=rule)
        await check_references(connection, _checked(who.tenant_id, settled))
        return {
            "name": settled.name,
            "channel": settled.channel,
            "class": settled.message_class,
            "notification_type": settled.notification_type,
            "rule": settled.rule,
            "content": settled.content,
            "sender": settled.sender,
            "plan": settled.plan.stored,
            "pace": settled.pace.stored,
            "tracking": settled.tracked,
            "time_to_live": settled.time_to_live or self.timing.life(MessageClass(message_class)),
        }


# A change takes back what anybody thought of the terms before.
NO_REVIEW: dict[str, Any] = {
    "reason": None,
    "submitted_by": None,
    "submitted_at": None,
    "counted": None,
    "content_hash": None,
    "approved_by": None,
    "approved_at": None,
    "approved_hash": None,
    "approved_audience": None,
    "pinned": None,
}


async def found_task(connection: Connection, task_id: UUID) -> Task:
    """Return a task, or raise NotFound, inside the tenant's transaction."""
    return _known(await task_rows.find(connection, task_id))


async def locked_task(connection: Connection, task_id: UUID, action: Action) -> Task:
    """Return a task, locked until the transaction ends.

    Raises:
        NotFound: the tenant has no such task.
        Conflict: its state does not allow the action.
    """
    task = _known(await task_rows.find(connection, task_id, lock=True))
    require(task, action)
    return task


def _known(task: Task | None) -> Task:
    if task is None:
        raise NotFound("There is no such task.")
    return task


def _renewed(terms: Terms) -> Terms:
    now = datetime.now(UTC)
    try:
        terms.plan.check(now)
        terms.pace.check(terms.plan, now)
    except Invalid:
        return replace(terms, plan=AT_ONCE, pace=UNHURRIED)
    return terms


def _checked(tenant_id: UUID, terms: Terms) -> Selection:
    """Return whom terms that make sense mean."""
    errors = list(terms.checks(datetime.now(UTC)))
    try:
        selection = compile_rule(terms.rule, tenant_id)
    except Invalid as error:
        raise merged([*errors, error]) from None
    if errors:
        raise merged(errors)
    return selection
