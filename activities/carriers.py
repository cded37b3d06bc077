"""The look of a carrier: local to the workflow, one short transaction."""

from temporalio import activity

from activities.failures import translated
from postroom.carriers.looking import Lookout
from postroom.contracts.carriers import LookAt, Plan
from postroom.database.engine import Database
from postroom.timing import Timing


class CarrierActivities:
    """Reads what the rows say to a carrier."""

    def __init__(self, database: Database, timing: Timing) -> None:
        self._database = database
        self._lookout = Lookout(timing)

    @activity.defn
    async def look(self, at: LookAt) -> Plan:
        """Pay the wake-up that is owed and return what is due and what comes next."""
        with translated():
            async with self._database.tenant_transaction(at.tenant_id) as connection:
                return await self._lookout.look(connection, at.carrier_id)
