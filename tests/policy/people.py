"""People as their tenant knows them, and pages of messages for them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from postroom.contracts.carriers import Plan
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.deliveries.ledger import Claim
from postroom.deliveries.locking import lock_carried
from postroom.timing import Timing
from tests.fixtures.house import gather, outfit, pass_over, send
from tests.fixtures.rows import Draft, accepted, change, deliveries, notification, rows

TIMING = Timing()
CONTACT = """
INSERT INTO contacts (tenant_id, user_id, addresses, time_zone, quiet_hours, consent, paused_until)
VALUES (%s, %s, '{"email": "ada@example.org"}', %s, %s, %s, %s)
"""
PREFERENCE = """
INSERT INTO preferences (tenant_id, user_id, notification_type, channel, enabled, frequency)
VALUES (%s, %s, %s, %s, %s, %s)
"""
EVENTS = "SELECT kind, reason, detail FROM notification_events WHERE notification_id = %s ORDER BY id"


def around(now: datetime, before: timedelta, after: timedelta) -> dict[str, str]:
    """Quiet hours by the clock of UTC that began a while ago and end after a while, at full minutes."""
    return {"start": f"{(now - before).astimezone(UTC):%H:%M}", "end": f"{(now + after).astimezone(UTC):%H:%M}"}


async def know(database: Database, tenant_id: UUID, user_id: str = "ada", **known: Any) -> None:
    """Write a contact."""
    quiet, consent = known.get("quiet_hours"), known.get("consent") or {}
    zone, paused = known.get("time_zone"), known.get("paused_until")
    values = (zone, None if quiet is None else json.dumps(quiet), json.dumps(consent), paused)
    await change(database, CONTACT, tenant_id, user_id, *values)


async def wish(database: Database, tenant_id: UUID, about: str, **wish: Any) -> None:
    """Write what somebody wants: `wish(..., "ada receipt email", enabled=False)`."""
    values = (wish.get("enabled", True), wish.get("frequency", "immediate"))
    await change(database, PREFERENCE, tenant_id, *about.split(" "), *values)


async def choose(database: Database, tenant_id: UUID, policy: dict[str, Any]) -> None:
    """Write a tenant's policy."""
    statement = """
        INSERT INTO tenant_settings (tenant_id, name, value) VALUES (%s, 'policy', %s)
        ON CONFLICT (tenant_id, name) DO UPDATE SET value = excluded.value
    """
    await change(database, statement, tenant_id, json.dumps(policy))


@dataclass(frozen=True, slots=True)
class Desk:
    """One tenant whose messages are sent pass by pass; `typed` makes a notification one of a type."""

    database: Database
    tenant_id: UUID
    timing: Timing = TIMING

    async def accept(self, *drafts: Draft, kind: str | None = None, alone: int = 20) -> list[UUID]:
        """Accept messages and give them their carriers."""
        ids = [await accepted(self.database, draft) for draft in drafts]
        if kind:
            await change(self.database, "UPDATE notifications SET notification_type = %s WHERE id = ANY(%s)", kind, ids)
        await gather(self.database, self.timing, self.tenant_id, alone)
        return ids

    async def run(self, notification_id: UUID, channel: ChannelKind = ChannelKind.IN_APP) -> Plan:
        """Run one pass over the carrier of a message."""
        carrier = (await notification(self.database, notification_id))["carrier_id"]
        return await send(outfit(self.database, self.timing), pass_over(self.tenant_id, carrier, channel))

    async def go(self, draft: Draft, kind: str | None = None) -> UUID:
        """Accept one message and run its first pass."""
        [one] = await self.accept(draft, kind=kind)
        await self.run(one, draft.channels[0])
        return one

    async def claim(self, notification_id: UUID, channel: ChannelKind = ChannelKind.IN_APP) -> Claim:
        """Claim a message and go no further."""
        carrier = (await notification(self.database, notification_id))["carrier_id"]
        async with self.database.tenant_transaction(self.tenant_id) as connection:
            ids = await lock_carried(connection, carrier)
            desk = outfit(self.database, self.timing).desk
            [item] = await desk.claim(connection, ids, self.tenant_id, channel)
        return item.claim

    async def stands(self, notification_id: UUID) -> tuple[str, str | None]:
        """State and reason of the first delivery."""
        [first, *_] = await deliveries(self.database, notification_id)
        return first["state"], first["reason"]

    async def told(self, notification_id: UUID) -> Sequence[dict[str, Any]]:
        """The events of a message, in order."""
        return await rows(self.database, EVENTS, notification_id)
