"""Launches tasks: everything is checked up front, what speaks is pinned, and one launch wins."""

from dataclasses import dataclass
from uuid import UUID

from postroom.campaigns import task_rows
from postroom.campaigns.models import Task
from postroom.campaigns.planning.approval import Approvals
from postroom.campaigns.planning.drafting import Drafts, found_task, locked_task
from postroom.campaigns.planning.plan import Plan
from postroom.campaigns.planning.terms import Terms
from postroom.campaigns.service import Title, hold_open_for, write_campaign
from postroom.campaigns.transitions import Action
from postroom.contracts.vocabulary import TaskState
from postroom.database.engine import Connection, Database
from postroom.errors import Conflict
from postroom.identity import new_id
from postroom.notifications.replay import named_before
from postroom.notifications.request import IdempotencyKey
from postroom.templates.rules import review_required
from postroom.tenants.gate import Identity


@dataclass(frozen=True, slots=True)
class Launches:
    """Launches of one deployment's tasks; every call is one transaction."""

    database: Database
    drafts: Drafts
    approvals: Approvals

    async def launch(self, who: Identity, task_id: UUID, key: IdempotencyKey | None) -> tuple[Task, bool]:
        """Launch a task, or return it as it is when an earlier request under the key did, and whether it did.

        Raises:
            NotFound: the tenant has no such task.
            Conflict: it was launched before, its campaign is archived, it needs an approval (`approval_required`), or
                what was approved is not what would be sent (`content_changed`).
            Invalid: with a pointer to everything that is wrong.
        """
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            if earlier := await named_before(connection, who.tenant_id, key, {"notification_id": task_id}):
                return await found_task(connection, earlier.id), True
            await hold_open_for(connection, task_id)
            task = await locked_task(connection, task_id, Action.LAUNCH)
            if await review_required(connection, who.tenant_id) and not task.is_approved:
                raise Conflict("Somebody else must approve this task first.", code="approval_required")
            return await self._launch(connection, who, task), False

    async def send(self, who: Identity, terms: Terms, key: IdempotencyKey | None) -> tuple[Task, bool]:
        """Make a campaign with one task and launch that; where the tenant has review, submit it instead.

        Returns the task, and whether an earlier request under the key made it.

        Raises:
            Invalid: with a pointer to everything that is wrong; nothing was made then.
        """
        campaign_id, task_id = new_id(), new_id()
        async with self.database.tenant_transaction(who.tenant_id) as connection:
            if earlier := await named_before(connection, who.tenant_id, key, {"notification_id": task_id}):
                return await found_task(connection, earlier.id), True
            await write_campaign(connection, who, campaign_id, Title(terms.name))
            task = await self.drafts.write(connection, who, (task_id, campaign_id), terms)
            if await review_required(connection, who.tenant_id):
                return await self.approvals.submit_locked(connection, who, task), False
            return await self._launch(connection, who, task), False

    async def _launch(self, connection: Connection, who: Identity, task: Task) -> Task:
        now = await task_rows.moment(connection)
        pins = await self.approvals.checks.pass_on(connection, who, task, now)
        if task.is_approved and pins.content_hash != task.approved_hash:
            raise Conflict("What was approved is not what would be sent; submit it again.", code="content_changed")
        start_at = Plan.read(task.plan).earliest(now)
        values = {
            "state": TaskState.SCHEDULED,
            "reason": None,
            "pinned": pins.pinned,
            "content_hash": pins.content_hash,
            "start_at": start_at,
            "launched_at": now,
            "epoch": task.epoch + 1,
            "owed": True,
            "next_poke_at": now,
        }
        await task_rows.change(connection, task.id, values)
        detail = {"content_hash": pins.content_hash.hex(), "start_at": start_at.isoformat()}
        await task_rows.note(connection, task, who, ("launched", None, detail))
        return await found_task(connection, task.id)
