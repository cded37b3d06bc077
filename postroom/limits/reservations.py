"""Reserves room in the windows of providers, for all lines of a process in one statement.

What is reserved is counted at once and before it is used, so the sum over all processes stays within the limit whatever
becomes of them: a process that dies wastes what it held, and nothing more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from postroom.database.engine import Connection, Database, Role
from postroom.database.grouping import GroupCommit
from postroom.limits.allowance import Allowance, Meter, Window

GROUP_LIMIT = 100

ENSURE = """
INSERT INTO provider_usage (tenant_id, channel, provider, kind, window_start, used)
SELECT tenant_id, channel, provider, kind, date_trunc(kind, now(), zone), 0
FROM unnest(%(tenants)s::uuid[], %(channels)s::text[], %(providers)s::text[], %(kinds)s::text[], %(zones)s::text[])
    AS asked (tenant_id, channel, provider, kind, zone)
ON CONFLICT DO NOTHING
"""

# Rows are locked in one order. A window that began later than our `now()` was begun by somebody we waited for, or by a
# clock that was ahead: it counts as the current one, so that no window is ever opened twice. At most half of what is
# left goes to one asker, so that another one finds some. What comes back is room again only in the window it is from.
# The next midnight of a zone is found on its own calendar: a day there may have 23 hours, or 25, or begin at one.
RESERVE = """
WITH asked AS (
    SELECT * FROM unnest(%(meters)s::int[], %(tenants)s::uuid[], %(channels)s::text[], %(providers)s::text[],
                         %(kinds)s::text[], %(zones)s::text[], %(caps)s::int[], %(wanted)s::int[],
                         %(returned)s::int[], %(since)s::timestamptz[])
        AS asked (meter, tenant_id, channel, provider, kind, zone, cap, wanted, returned, since)
), locked AS MATERIALIZED (
    SELECT u.id, u.window_start, u.used, a.meter, a.kind, a.zone, a.cap, a.wanted, a.returned, a.since,
           date_trunc(a.kind, now(), a.zone) AS current
    FROM provider_usage u JOIN asked a
        ON (u.tenant_id = a.tenant_id OR (u.tenant_id IS NULL AND a.tenant_id IS NULL))
            AND u.channel = a.channel AND u.provider = a.provider AND u.kind = a.kind
    ORDER BY u.id FOR NO KEY UPDATE OF u
), standing AS (
    SELECT id, meter, kind, zone, cap, wanted, greatest(window_start, current) AS start,
           CASE WHEN window_start < current THEN 0
                WHEN window_start = since THEN greatest(0, used - returned) ELSE used END AS used
    FROM locked
), granted AS (
    SELECT meter, least(min(wanted), min(greatest(0, cap - used + 1) / 2)) AS count FROM standing GROUP BY meter
)
UPDATE provider_usage u SET window_start = s.start, used = s.used + g.count
FROM standing s JOIN granted g USING (meter)
WHERE u.id = s.id
RETURNING s.meter, s.kind, s.start, g.count, s.cap > s.used AS room,
    greatest(interval '0', CASE s.kind
        WHEN 'day' THEN date_trunc('day', s.start AT TIME ZONE s.zone + interval '1 day') AT TIME ZONE s.zone
        ELSE s.start + ('1 ' || s.kind)::interval END - now()) AS lasts
"""


@dataclass(frozen=True, slots=True)
class Request:
    """What one line asks for: room for `wanted`, and `returned` from windows that began then; `new` makes its rows."""

    meter: Meter
    allowance: Allowance
    wanted: int
    returned: Mapping[Window, tuple[datetime, int]] = field(default_factory=dict)
    new: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """One window after the reservation: when it began, how long it lasts from then, whether there had been room."""

    start: datetime
    lasts: timedelta
    room: bool


@dataclass(frozen=True, slots=True)
class Reservation:
    """Room for `count` in every window; no windows at all when the rows are gone."""

    count: int
    windows: Mapping[Window, Standing]


class Reservations:
    """Carries out the requests of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._group = GroupCommit(self._reserve, GROUP_LIMIT)

    async def ask(self, request: Request) -> Reservation:
        """Reserve. Raises what the database raises; then something may have been reserved, and is wasted."""
        return await self._group.ask(request)

    async def _reserve(self, group: Sequence[Request]) -> list[Reservation]:
        async with self._database.statement(Role.LEDGER) as connection:
            if new := [request for request in group if request.new]:
                await connection.execute(ENSURE, _columns(new))
            return await reserve(connection, group)


async def reserve(connection: Connection, group: Sequence[Request]) -> list[Reservation]:
    """Reserve for a group, in its order; a meter stands in it once."""
    pairs = [(request, window) for request in group for window in request.allowance.caps]
    parameters = _columns(group) | {
        "meters": [number for number, request in enumerate(group) for _ in request.allowance.caps],
        "caps": [request.allowance.caps[window] for request, window in pairs],
        "wanted": [request.wanted for request, _ in pairs],
        "returned": [request.returned.get(window, (None, 0))[1] for request, window in pairs],
        "since": [request.returned.get(window, (None, 0))[0] for request, window in pairs],
    }
    rows = await (await connection.execute(RESERVE, parameters)).fetchall()
    counts = {row["meter"]: row["count"] for row in rows}
    windows: list[dict[Window, Standing]] = [{} for _ in group]
    for row in rows:
        windows[row["meter"]][Window(row["kind"])] = Standing(row["start"], row["lasts"], row["room"])
    return [Reservation(counts.get(number, 0), found) for number, found in enumerate(windows)]


def _columns(group: Sequence[Request]) -> dict[str, object]:
    pairs = [(request.meter, window) for request in group for window in request.allowance.caps]
    return {
        "zones": [request.allowance.zone for request in group for _ in request.allowance.caps],
        "tenants": [meter.tenant_id for meter, _ in pairs],
        "channels": [str(meter.channel) for meter, _ in pairs],
        "providers": [meter.provider for meter, _ in pairs],
        "kinds": [str(window) for _, window in pairs],
    }
