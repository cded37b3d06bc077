"""What is used of a service's quotas in the windows that run now, for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection
from postroom.limits.allowance import Window
from postroom.sender_services.allowing import allowance_of, days_between

SERVICE = "SELECT *, now() AS read_at FROM sender_services WHERE id = %s"
USED = f"""
SELECT w.kind, coalesce(u.used, 0) AS used,
    CASE w.kind WHEN 'day' THEN date_trunc('day', s.local + interval '1 day') AT TIME ZONE s.time_zone
    ELSE date_trunc(w.kind, now(), s.time_zone) + ('1 ' || w.kind)::interval END AS resets_at
FROM unnest(%(kinds)s::text[]) AS w (kind)
CROSS JOIN (SELECT id, tenant_id, time_zone, now() AT TIME ZONE time_zone AS local
            FROM sender_services WHERE id = %(id)s) s
LEFT JOIN provider_usage u ON u.tenant_id = s.tenant_id AND u.channel = '{ChannelKind.EMAIL}' AND u.kind = w.kind
    AND u.provider = 'svc_' || replace(s.id::text, '-', '')
    AND u.window_start >= date_trunc(w.kind, now(), s.time_zone)
"""


@dataclass(frozen=True, slots=True)
class Used:
    """One window: what may go in it, what was given away, and when it begins anew."""

    window: Window
    limit: int
    used: int
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """The windows that are limited; `warm_up_day` counts local days from 1 while a ramp holds the day's limit down."""

    windows: Sequence[Used]
    warm_up_day: int | None


async def usage_of(connection: Connection, service_id: UUID) -> Usage | None:
    """Read the usage of a service in its tenant's transaction; None when there is no such service."""
    row = await (await connection.execute(SERVICE, (service_id,))).fetchone()
    if row is None:
        return None
    caps: Mapping[Window, int] = allowance_of(row, row["read_at"]).caps
    rows = await connection.execute(USED, {"id": service_id, "kinds": [str(window) for window in caps]})
    windows = [
        Used(Window(one["kind"]), caps[Window(one["kind"])], one["used"], one["resets_at"]) async for one in rows
    ]
    ramping = row["warm_up_start"] is not None and caps[Window.DAY] < row["per_day"]
    day = days_between(row["warm_up_since"], row["read_at"], row["time_zone"]) + 1 if ramping else None
    return Usage(sorted(windows, key=lambda one: one.window.length), day)
