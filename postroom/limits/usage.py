"""How much of today's limits is given away, for people."""

from collections.abc import Mapping
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection
from postroom.limits.allowance import Meter

USED_TODAY = """
SELECT channel, provider, used FROM provider_usage
WHERE tenant_id IS NOT DISTINCT FROM %s AND kind = 'day' AND window_start >= date_trunc('day', now(), 'UTC')
"""


async def used_today(connection: Connection, tenant_id: UUID | None) -> Mapping[Meter, int]:
    """Return what is used by a tenant's own providers, or by the deployment's; only a daily limit is counted."""
    rows = await connection.execute(USED_TODAY, (tenant_id,))
    return {Meter(ChannelKind(row["channel"]), row["provider"], tenant_id): row["used"] async for row in rows}
