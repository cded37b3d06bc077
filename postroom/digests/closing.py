"""Closes digests whose time has come, a few at a time, however often and by however many it is asked to."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from postroom.contracts.digests import Closing, DigestPlan
from postroom.database.engine import Database
from postroom.digests.items import first_items, lines_of
from postroom.digests.looking import ClosingLookout
from postroom.digests.speaking import Speaker
from postroom.digests.taking import take
from postroom.timing import Timing

AT_ONCE = 50  # digests that end in one transaction

# From here on they take nothing more; what comes now opens the next one.
DUE = """
SELECT id FROM digests
WHERE closing_id = %(closing_id)s AND (state = 'closing' OR (state = 'open' AND closes_at <= now()))
ORDER BY user_id, notification_type, channel, id LIMIT %(limit)s FOR NO KEY UPDATE
"""
BEGIN = "UPDATE digests SET state = 'closing' WHERE id = ANY(%(ids)s) AND state = 'open'"


@dataclass(frozen=True, slots=True)
class Closer:
    """Closes what is due in one closing; every step is a short transaction that a second one finds done."""

    database: Database
    speaker: Speaker
    timing: Timing

    async def close(self, at: Closing) -> DigestPlan:
        """Close what is due and return the plan of a last look.

        Raises only for the database, and where nobody can render; nothing is lost when it does, and nothing is told
        twice when it is asked again.
        """
        while ids := await self.begin(at):
            await self.finish(at.tenant_id, ids)
        async with self.database.tenant_transaction(at.tenant_id) as connection:
            return await ClosingLookout(self.timing).look(connection, at.closing_id)

    async def begin(self, at: Closing) -> Sequence[UUID]:
        """Let some of what is due take nothing more, and return their ids."""
        async with self.database.tenant_transaction(at.tenant_id) as connection:
            rows = await connection.execute(DUE, {"closing_id": at.closing_id, "limit": AT_ONCE})
            ids = [row["id"] async for row in rows]
            await connection.execute(BEGIN, {"ids": ids})
        return ids

    async def finish(self, tenant_id: UUID, ids: Sequence[UUID]) -> None:
        """Put their items into words, and then, under lock, one notification in the place of those that still wait."""
        async with self.database.tenant_transaction(tenant_id) as connection:
            items = await first_items(connection, ids)
        lines = lines_of(items, await self.speaker.words(tenant_id, items))
        async with self.database.tenant_transaction(tenant_id) as connection:
            await take(connection, ids, lines, self.timing)
