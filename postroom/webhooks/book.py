"""What the sending side knows of endpoints: where they are, with which secrets they are signed for, how they fare."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection, Database
from postroom.remembering import Memory
from postroom.tenants.secrets import Seal, Sealed
from postroom.timing import Timing
from postroom.webhooks.models import EndpointState
from postroom.webhooks.outgoing import DISABLE

FRESH_SECONDS = 2.0

ENDPOINT = """
SELECT id, tenant_id, url, rate_per_minute, state, secret, secret_key_id, old_secret, old_secret_key_id,
       coalesce(old_secret_until > now(), false) AS old_counts, failing_since IS NOT NULL AS failing,
       coalesce(failing_since < now() - %(longest)s::interval, false) AS failing_too_long
FROM webhook_endpoints WHERE id = %(id)s
"""
MESSAGE = """
SELECT message_id, type, occurred_at, data FROM webhook_messages WHERE notification_id = %(notification_id)s
"""
FAILING = """
UPDATE webhook_endpoints SET failing_since = coalesce(failing_since, now()) WHERE id = %(id)s
"""
WELL = "UPDATE webhook_endpoints SET failing_since = NULL WHERE id = %(id)s"
TELL = """
INSERT INTO notification_events (notification_id, tenant_id, kind, reason, detail)
SELECT %(notification_id)s::uuid, %(tenant_id)s, 'endpoint_disabled', %(reason)s, '{"channel": "webhook"}'
WHERE %(notification_id)s::uuid IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint as it stands now; the newest secret comes first."""

    id: UUID
    tenant_id: UUID
    url: str
    secrets: tuple[str, ...]
    rate_per_minute: int
    enabled: bool
    failing: bool = False
    failing_too_long: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """What an event, a test or a replay tells; `message_id` is the delivery whose webhook-id it bears, None its own."""

    message_id: UUID | None
    type: str
    occurred_at: datetime
    data: Mapping[str, Any]


class EndpointBook:
    """Looks up endpoints and remembers them for a moment."""

    def __init__(self, database: Database, seal: Seal, timing: Timing) -> None:
        self._database = database
        self._seal = seal
        self._longest: timedelta = timing.endpoint_failing
        self._endpoints = Memory(self._look_up, FRESH_SECONDS)

    async def endpoint(self, tenant_id: UUID, endpoint_id: UUID) -> Endpoint | None:
        """Return an endpoint, or None when the tenant has no such."""
        return await self._endpoints.of((tenant_id, endpoint_id))

    async def _look_up(self, key: tuple[UUID, UUID]) -> Endpoint | None:
        tenant_id, endpoint_id = key
        async with self._database.tenant_transaction(tenant_id) as connection:
            found = await connection.execute(ENDPOINT, {"id": endpoint_id, "longest": self._longest})
            row = await found.fetchone()
        return self._read(row) if row else None

    async def message(self, tenant_id: UUID, notification_id: UUID | None) -> Message | None:
        """Return what a notification tells that is not a message of the tenant's own."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            row = await (await connection.execute(MESSAGE, {"notification_id": notification_id})).fetchone()
        return Message(**row) if row else None

    async def gone(self, endpoint: Endpoint, notification_id: UUID | None) -> None:
        """Disable an endpoint whose receiver said 410, and tell it where it was said."""
        async with self._database.tenant_transaction(endpoint.tenant_id) as connection:
            await self._disable(connection, endpoint, notification_id, "gone")

    async def fares(self, endpoint: Endpoint, notification_id: UUID | None, *, well: bool) -> None:
        """Note since when an endpoint does nothing but fail; after days of it, disable it.

        Writes only when something changes.
        """
        if well != endpoint.failing and not endpoint.failing_too_long:
            return
        async with self._database.tenant_transaction(endpoint.tenant_id) as connection:
            await connection.execute(WELL if well else FAILING, {"id": endpoint.id})
            if endpoint.failing_too_long and not well:
                await self._disable(connection, endpoint, notification_id, "failing")
        self._endpoints.forget((endpoint.tenant_id, endpoint.id))

    async def _disable(
        self, connection: Connection, endpoint: Endpoint, notification_id: UUID | None, reason: str
    ) -> None:
        done = await connection.execute(DISABLE, {"id": endpoint.id, "url": endpoint.url, "reason": reason})
        if await done.fetchone():
            row = {"notification_id": notification_id, "tenant_id": endpoint.tenant_id, "reason": reason}
            await connection.execute(TELL, row)
        self._endpoints.forget((endpoint.tenant_id, endpoint.id))

    def _read(self, row: Mapping[str, Any]) -> Endpoint:
        sealed = [Sealed(row["secret_key_id"], row["secret"])]
        if row["old_counts"]:
            sealed.append(Sealed(row["old_secret_key_id"], row["old_secret"]))
        tenant_id: UUID = row["tenant_id"]
        return Endpoint(
            id=row["id"],
            tenant_id=tenant_id,
            url=row["url"],
            secrets=tuple(self._seal.open(one, tenant_id=tenant_id, row_id=row["id"]) for one in sealed),
            rate_per_minute=row["rate_per_minute"],
            enabled=row["state"] == EndpointState.ENABLED,
            failing=row["failing"],
            failing_too_long=row["failing_too_long"],
        )
