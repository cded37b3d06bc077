"""What those who send know of a tenant's services, read anew every second: where they lead, how they fare."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.errors import Invalid
from postroom.limits.allowance import Window
from postroom.remembering import REMEMBERED, Memory
from postroom.sender_services.allowing import allowance_of
from postroom.sender_services.destination import Party, party_of
from postroom.sender_services.models import FrozenBy, ServiceStatus
from postroom.tenants.secrets import Seal, SealBroken

log = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
SLOW_WINDOWS = (Window.HOUR, Window.DAY)  # what is left of a second or a minute is old by the time it is read

SERVICES = f"""
SELECT s.*, now() AS read_at,
    greatest(0, extract(epoch FROM s.probe_at - now()))::float AS probe_wait,
    coalesce(s.probe_until > now(), false) AS probing,
    ARRAY(SELECT api_key_id FROM sender_service_bindings b WHERE b.service_id = s.id) AS keys,
    (SELECT jsonb_object_agg(u.kind, u.used) FROM provider_usage u
     WHERE u.tenant_id = s.tenant_id AND u.channel = '{ChannelKind.EMAIL}'
        AND u.provider = 'svc_' || replace(s.id::text, '-', '')
        AND u.window_start >= date_trunc(u.kind, now(), s.time_zone)) AS used
FROM sender_services s WHERE s.tenant_id = %s ORDER BY s.id
"""
CREATOR = "SELECT created_by FROM campaign_tasks WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Standing:
    """One service as it stood a moment ago.

    `left` is the share of its hour's and day's quota that is not used, `probe_at` the loop's own time (`monotonic`)
    from which one message may try a frozen one; None when nobody may. While one is `probing`, its answer is near.
    """

    id: UUID
    tenant_id: UUID
    party: Party
    weight: int
    from_domains: frozenset[str]
    keys: frozenset[UUID]
    status: ServiceStatus
    errors: int
    left: float
    probe_at: float | None
    probing: bool

    @property
    def frozen(self) -> bool:
        """Whether it takes nothing but a probe."""
        return self.status is ServiceStatus.FROZEN

    @property
    def due(self) -> bool:
        """Whether it is time to try it."""
        return self.frozen and not self.probing and self.probe_at is not None and time.monotonic() >= self.probe_at

    def serves(self, key: UUID | None, domain: str) -> bool:
        """Whether mail of a key's tasks from this domain may go over it."""
        bound = not self.keys or key in self.keys
        return bound and (not self.from_domains or domain in self.from_domains)


class ServiceBook:
    """Looks up services per tenant and remembers them for a second."""

    def __init__(self, database: Database, seal: Seal, *, public_only: bool) -> None:
        self._database = database
        self._seal = seal
        self._public_only = public_only
        self._services = Memory(self._look_up, FRESH_SECONDS)
        self._creators: dict[UUID, UUID | None] = {}

    async def services_of(self, tenant_id: UUID) -> Sequence[Standing]:
        """Return a tenant's services in the order they were made."""
        return await self._services.of(tenant_id)

    async def _look_up(self, tenant_id: UUID) -> Sequence[Standing]:
        async with self._database.tenant_transaction(tenant_id) as connection:
            rows = await (await connection.execute(SERVICES, (tenant_id,))).fetchall()
        return [one for row in rows if (one := self._read(row))]

    async def creator_of(self, tenant_id: UUID, task_id: UUID) -> UUID | None:
        """Return the key that made a task."""
        if task_id not in self._creators:
            async with self._database.tenant_transaction(tenant_id) as connection:
                row = await (await connection.execute(CREATOR, (task_id,))).fetchone()
            if len(self._creators) >= REMEMBERED:
                self._creators.clear()
            self._creators[task_id] = row["created_by"] if row else None
        return self._creators[task_id]

    def forget(self, tenant_id: UUID) -> None:
        """Look again next time: something is different."""
        self._services.forget(tenant_id)

    def _read(self, row: Mapping[str, Any]) -> Standing | None:
        allowance = allowance_of(row, row["read_at"])
        try:
            party = party_of(row, self._seal, allowance, public_only=self._public_only)
        except (SealBroken, Invalid) as error:
            log.error("sender service %s cannot be used: %s", row["id"], type(error).__name__)  # noqa: TRY400
            return None
        used = row["used"] or {}
        shares = [1 - used.get(one, 0) / cap for one, cap in allowance.caps.items() if one in SLOW_WINDOWS]
        heals = row["frozen_by"] == FrozenBy.HEALTH
        return Standing(
            id=row["id"],
            tenant_id=row["tenant_id"],
            party=party,
            weight=row["weight"],
            from_domains=frozenset(row["from_domains"]),
            keys=frozenset(row["keys"]),
            status=ServiceStatus(row["status"]),
            errors=row["errors"],
            left=max(0.0, min(shares, default=1.0)),
            probe_at=time.monotonic() + row["probe_wait"] if heals else None,
            probing=row["probing"],
        )
