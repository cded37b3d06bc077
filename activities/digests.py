"""The look of a closing, and closing what is due in it."""

from temporalio import activity

from activities.beating import beating
from activities.failures import translated
from postroom.contracts.digests import Closing, DigestPlan
from postroom.database.engine import Database
from postroom.digests.closing import Closer
from postroom.digests.looking import ClosingLookout
from postroom.digests.speaking import Speaker
from postroom.rendering.renderer import Renderer
from postroom.timing import Timing


class DigestActivities:
    """Reads what the rows say to a closing, and ends its digests."""

    def __init__(self, database: Database, renderer: Renderer, timing: Timing) -> None:
        self._database = database
        self._lookout = ClosingLookout(timing)
        self._closer = Closer(database, Speaker(database, renderer, timing.digest_words), timing)
        self._beat_seconds = timing.heartbeat_patience.total_seconds() / 4

    @activity.defn
    async def look_at_digests(self, at: Closing) -> DigestPlan:
        """Pay the wake-up that is owed and return what is due and what comes next."""
        with translated():
            async with self._database.tenant_transaction(at.tenant_id) as connection:
                return await self._lookout.look(connection, at.closing_id)

    @activity.defn
    async def close_digests(self, at: Closing) -> DigestPlan:
        """Close what is due and return the plan of the last look."""
        with translated():
            async with beating(self._beat_seconds, {}):
                return await self._closer.close(at)
