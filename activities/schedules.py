"""The run of a schedule: one activity that writes page after page and goes on where another one stopped."""

from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.failures import translated
from postroom.contracts.recurring import Firing, RunStanding
from postroom.database.engine import Database
from postroom.schedules.models import RunState
from postroom.schedules.opening import open_run
from postroom.schedules.paging import GONE, Pager
from postroom.schedules.pinning import pin_run
from postroom.timing import Timing


class ScheduleActivities:
    """Writes what a schedule sends when it fires."""

    def __init__(self, database: Database, timing: Timing, page_size: int) -> None:
        self._database = database
        self._timing = timing
        self._pager = Pager(timing, page_size)

    @activity.defn
    async def run_schedule(self, firing: Firing) -> RunStanding:
        """Begin the run of a firing, or go on with it, until it has ended."""
        with translated():
            run_id = firing.run_id or await self._open(firing)
            if run_id is not None:
                await pin_run(self._database, firing.tenant_id, run_id)
            standing = GONE if run_id is None else await self._page(firing.tenant_id, run_id)
            while standing.state == RunState.RUNNING and run_id is not None:
                activity.heartbeat(standing.inserted)
                if activity.is_worker_shutdown():
                    raise ApplicationError(
                        "this worker ends; another goes on", category=ApplicationErrorCategory.BENIGN
                    )
                standing = await self._page(firing.tenant_id, run_id)
        return standing

    async def _open(self, firing: Firing) -> UUID | None:
        async with self._database.tenant_transaction(firing.tenant_id) as connection:
            return await open_run(connection, firing, self._timing)

    async def _page(self, tenant_id: UUID, run_id: UUID) -> RunStanding:
        async with self._database.tenant_transaction(tenant_id) as connection:
            return await self._pager.write_next(connection, run_id)
