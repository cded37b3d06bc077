"""Notifications that policy has put into digests, and digests whose time is moved by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from postroom.contracts.digests import Closing
from postroom.database.engine import Connection, Database
from postroom.deliveries.locking import lock_named
from postroom.digests.closing import Closer
from postroom.digests.collecting import Collected, collect
from postroom.digests.poker import DigestPoker
from postroom.digests.poking import ClosingPoke
from postroom.digests.speaking import Speaker
from postroom.rendering.renderer import Renderer
from postroom.timing import Timing
from tests.fixtures.rows import Draft, accepted, change, rows

TIMING = Timing()
TYPE = "order_shipped"

MAKE = """
INSERT INTO deliveries (tenant_id, notification_id, position, channel, expires_at)
SELECT n.tenant_id, n.id, c.position - 1, c.channel, n.expires_at
FROM notifications n CROSS JOIN LATERAL unnest(n.channels) WITH ORDINALITY AS c (channel, position)
WHERE n.id = ANY(%s) AND (n.strategy = 'all' OR c.position = 1) ON CONFLICT DO NOTHING
"""


def tomorrow() -> datetime:
    """A moment a day ahead, the same for all who ask in one test."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ground:
    """One tenant's digests over the in-app inbox."""

    database: Database
    tenant_id: UUID
    slug: str
    renderer: Renderer = field(default_factory=lambda: Renderer(1))

    async def waits(self, draft: Draft | None = None, closes_at: datetime | None = None) -> UUID:
        """Accept one notification and collect it; returns its id."""
        draft = draft or Draft(self.tenant_id)
        one = await self.accepted(draft)
        await self.collected([one], draft, closes_at)
        return one

    async def accepted(self, draft: Draft) -> UUID:
        """Accept one notification of the type."""
        one = await accepted(self.database, draft)
        await change(self.database, "UPDATE notifications SET notification_type = %s WHERE id = %s", TYPE, one)
        return one

    async def collected(self, ids: Sequence[UUID], draft: Draft, closes_at: datetime | None = None) -> None:
        """Collect accepted notifications, in one transaction, as a claim does."""
        at = closes_at or tomorrow()
        await self.collect([Collected(one, draft.user_id or "", TYPE, str(draft.channels[0]), at) for one in ids])

    async def collect(self, items: Sequence[Collected]) -> None:
        """Collect a page of items, in the order in which they are given."""
        async with self.database.tenant_transaction(self.tenant_id) as connection:
            await self.collect_in(connection, items)

    async def collect_in(self, connection: Connection, items: Sequence[Collected]) -> None:
        """Collect a page of items in a transaction that somebody else began."""
        ids = [item.notification_id for item in items]
        await connection.execute(MAKE, [ids])
        await lock_named(connection, ids)
        await collect(connection, self.tenant_id, items, TIMING)

    async def digests(self) -> list[dict[str, Any]]:
        """All digests, the oldest first."""
        return await rows(self.database, "SELECT * FROM digests WHERE tenant_id = %s ORDER BY id", self.tenant_id)

    async def digest(self) -> dict[str, Any]:
        """The only digest."""
        [one] = await self.digests()
        return one

    async def items(self, digest_id: UUID) -> list[UUID]:
        """What is in a digest."""
        statement = "SELECT notification_id FROM digest_items WHERE digest_id = %s ORDER BY notification_id"
        return [row["notification_id"] for row in await rows(self.database, statement, digest_id)]

    async def let_pass(self, time: timedelta = timedelta(days=1)) -> None:
        """Let so much time pass for the digests and their closings."""
        for table in ("digests", "closings"):
            await change(
                self.database,
                f"UPDATE {table} SET closes_at = closes_at - %s WHERE tenant_id = %s",
                time,
                self.tenant_id,
            )

    async def closings(self) -> list[dict[str, Any]]:
        """All closings, the oldest first."""
        await self.poker().gather()
        return await rows(self.database, "SELECT * FROM closings WHERE tenant_id = %s ORDER BY id", self.tenant_id)

    def poker(self) -> DigestPoker:
        """A poker that pokes nobody."""
        return DigestPoker(self.database, _nobody, TIMING)

    def closer(self) -> Closer:
        """What the activity closes with."""
        return Closer(self.database, Speaker(self.database, self.renderer, TIMING.digest_words), TIMING)

    async def close(self) -> None:
        """Let the time of every digest come, and close them."""
        await self.let_pass()
        await self.close_due()

    async def close_due(self) -> None:
        """Close what is due by the clock."""
        for closing in await self.closings():
            await self.closer().close(Closing(self.tenant_id, closing["id"]))

    async def told(self) -> list[dict[str, Any]]:
        """The notifications of digests, with their words."""
        statement = (
            "SELECT n.*, p.title, p.body_text, p.body_html, p.metadata, p.variables, p.template_id, p.template_version "
            "FROM notifications n JOIN notification_contents p ON p.notification_id = n.id "
            "WHERE n.tenant_id = %s AND n.origin = 'digest' ORDER BY n.id"
        )
        return await rows(self.database, statement, self.tenant_id)

    async def events(self, notification_id: UUID) -> list[dict[str, Any]]:
        """The events of a notification."""
        statement = "SELECT kind, reason, detail FROM notification_events WHERE notification_id = %s ORDER BY id"
        return await rows(self.database, statement, notification_id)


async def _nobody(poke: ClosingPoke) -> None:
    """Start nothing."""
