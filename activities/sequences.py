"""One step further for one person: local to the workflow, one short transaction."""

from temporalio import activity

from activities.failures import translated
from postroom.contracts.recurring import Moment, NextStep
from postroom.database.engine import Database
from postroom.sequences.advancing import Guide
from postroom.sequences.casting import cast
from postroom.timing import Timing


class SequenceActivities:
    """Takes people through sequences."""

    def __init__(self, database: Database, timing: Timing) -> None:
        self._database = database
        self._guide = Guide(timing)

    @activity.defn
    async def advance(self, at: Moment) -> NextStep:
        """Write the steps that are due and return what comes next; doing it twice is doing it once."""
        with translated():
            castings = await cast(self._database, at)
            async with self._database.tenant_transaction(at.tenant_id) as connection:
                return await self._guide.advance(connection, at, castings)
