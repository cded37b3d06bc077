"""Backlogs: many accepted notifications at once, written as the API leaves them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection

from postroom.identity import new_id

DEMO = "SELECT id FROM tenants WHERE slug = 'demo'"

LOAD = """
WITH letters AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(addresses)s::text[]) AS letter (id, address)
), written AS (
    INSERT INTO notifications (id, tenant_id, channel, channels, priority, class, scheduled_at, due_at, expires_at,
                               fallback_after)
    SELECT id, %(tenant_id)s, %(channel)s, ARRAY[%(channel)s], %(priority)s, %(message_class)s, %(due_at)s,
           coalesce(%(due_at)s, now()), coalesce(%(due_at)s, now()) + interval '1 day', interval '1 day'
    FROM letters
)
INSERT INTO notification_contents (notification_id, tenant_id, title, body_text, metadata)
SELECT id, %(tenant_id)s, 'About ' || address, 'Nothing is lost.', jsonb_build_object(%(placed)s::text, address)
FROM letters
"""


@dataclass(frozen=True, slots=True)
class Load:
    """So many letters of one kind; `to` is what the sink makes of them, `name` tells loads apart."""

    tenant_id: UUID
    name: str
    count: int
    to: str = "ok"
    priority: int = 3
    message_class: str = "transactional"
    due_at: datetime | None = None
    channel: str = "email"
    placed: str = "email"  # in the metadata

    @property
    def addresses(self) -> list[str]:
        """Where they go, in order."""
        return [f"{self.to}+{self.name}.{number}@example.org" for number in range(self.count)]


async def accept(database_url: str, load: Load) -> list[UUID]:
    """Write a load with one commit, as the database's owner; returns the ids in the order of its addresses."""
    ids = [new_id() for _ in range(load.count)]
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(
            LOAD,
            {
                "ids": ids,
                "addresses": load.addresses,
                "tenant_id": load.tenant_id,
                "priority": load.priority,
                "message_class": load.message_class,
                "due_at": load.due_at,
                "channel": load.channel,
                "placed": load.placed,
            },
        )
    return ids
