"""What the workflow of a task has done: looks, freezing its audience, passes over pages, the audit at the end."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.beating import beating
from activities.failures import translated
from postroom.campaigns.sending.ending import audit, recount
from postroom.campaigns.sending.freezing import Freezer
from postroom.campaigns.sending.looking import TaskLookout
from postroom.campaigns.sending.passing import PageSender
from postroom.contracts.campaigns import LookAtTask, PagePass, TaskPlan
from postroom.deliveries.handing import Outfit, Tally


class CampaignActivities:
    """Reads what the rows say to a task, and sends its pages; `page` is how many recipients one has."""

    def __init__(self, outfit: Outfit, page: int) -> None:
        self._database = outfit.database
        self._lookout = TaskLookout(outfit.timing)
        self._freezer = Freezer(outfit.database, page)
        self._sender = PageSender(outfit)
        self._beat_seconds = outfit.timing.heartbeat_patience.total_seconds() / 4

    @activity.defn
    async def look_at_task(self, at: LookAtTask) -> TaskPlan:
        """Pay the wake-up that is owed and return what is due and what comes next."""
        with translated():
            async with self._database.tenant_transaction(at.tenant_id) as connection:
                return await self._lookout.look(connection, at)

    @activity.defn
    async def freeze_audience(self, at: LookAtTask) -> None:
        """Freeze the audience; what is frozen stays, and another attempt goes on behind it."""
        with translated():
            async with beating(self._beat_seconds, {}):
                await self._freezer.freeze(at)

    @activity.defn
    async def send_page(self, at: PagePass) -> dict[str, int]:
        """Send what is due in some pages; returns how many answers there were of each kind, for people only."""
        tally = Tally()
        with translated():
            async with beating(self._beat_seconds, tally.verdicts, lambda: self._sender.show_life(at)):
                await self._sender.send(at, tally, activity.is_worker_shutdown)
        return tally.verdicts

    @activity.defn
    async def audit_task(self, at: LookAtTask) -> None:
        """End the task if everybody is accounted for; what does not add up is counted again, and then told."""
        with translated():
            async with beating(self._beat_seconds, {}):
                if await self._audited(at):
                    return
                await recount(self._database, at.tenant_id, at.task_id)
                if not await self._audited(at):
                    raise ApplicationError("the recipients of the task do not add up", type="Unbalanced")

    async def _audited(self, at: LookAtTask) -> bool:
        async with self._database.tenant_transaction(at.tenant_id) as connection:
            return await audit(connection, at.task_id)
