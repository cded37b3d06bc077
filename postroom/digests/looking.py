"""The look of a closing: pays the wake-up, and says what is to be closed now and when the next digest closes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from postroom.contracts.digests import DigestPlan
from postroom.database.engine import Connection
from postroom.policy.zones import UTC_NAME, find_zone
from postroom.timing import Timing

# The lock comes first and the digests are read after it: whoever joined before the lock is seen, whoever joins later
# owes a new look.
LOCK = "SELECT state FROM closings WHERE id = %(closing_id)s FOR NO KEY UPDATE"

READ_AND_PAY = """
WITH members AS MATERIALIZED (
    SELECT tenant_id, user_id, state, closes_at, state = 'closing' OR (state = 'open' AND closes_at <= now()) AS due
    FROM digests WHERE closing_id = %(closing_id)s
), upcoming AS (
    SELECT m.closes_at, coalesce(k.time_zone, s.value ->> 'time_zone') AS time_zone, m.closes_at - now() AS wait
    FROM members m LEFT JOIN contacts k USING (tenant_id, user_id)
    LEFT JOIN tenant_settings s ON s.tenant_id = m.tenant_id AND s.name = 'policy'
    WHERE m.state = 'open' AND NOT m.due ORDER BY m.closes_at LIMIT 1
), standing AS (
    SELECT count(*) FILTER (WHERE due) AS due, count(*) FILTER (WHERE state = 'open' AND NOT due) AS waiting
    FROM members
), paid AS (
    UPDATE closings c SET owed = false, pokes = 0,
        state = CASE WHEN s.due + s.waiting > 0 THEN 'open' ELSE 'closed' END,
        closed_at = CASE WHEN s.due + s.waiting = 0 THEN now() END,
        wake_by = now() + coalesce((SELECT wait FROM upcoming WHERE s.due = 0), interval '0') + %(grace)s
    FROM standing s WHERE c.id = %(closing_id)s
)
SELECT s.due, s.waiting, u.closes_at, u.time_zone, u.wait,
       (SELECT coalesce(jsonb_object_agg(state, count), '{}')
        FROM (SELECT state, count(*) AS count FROM members GROUP BY state) states) AS counts
FROM standing s LEFT JOIN upcoming u ON true
"""


@dataclass(frozen=True, slots=True)
class ClosingLookout:
    """Looks at one closing inside the caller's transaction."""

    timing: Timing

    async def look(self, connection: Connection, closing_id: UUID) -> DigestPlan:
        """Pay the wake-up of a closing and return its plan; `closed` is final. Digests are locked before."""
        closing = await (await connection.execute(LOCK, {"closing_id": closing_id})).fetchone()
        if closing is None or closing["state"] == "closed":
            return DigestPlan(closed=True)
        parameters = {"closing_id": closing_id, "grace": self.timing.watch_grace}
        [row] = await (await connection.execute(READ_AND_PAY, parameters)).fetchall()
        return DigestPlan(
            closed=not row["due"] and not row["waiting"],
            due=row["due"],
            wait=None if row["due"] else row["wait"],
            story=_story(row["waiting"], row["closes_at"], row["time_zone"]) if row["waiting"] else "",
            counts=row["counts"],
        )


def _story(count: int, closes_at: datetime, time_zone: str | None) -> str:
    """Say what the timer is for: `digest closes at 09:00 Europe/Paris`, with the day, by the clock of whoever is first.

    Of many, who live by different clocks, it is told in UTC.
    """
    if count > 1:
        return f"{count} digests close at {closes_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    zone = find_zone(time_zone or UTC_NAME)
    return f"digest closes at {closes_at.astimezone(zone.info):%Y-%m-%d %H:%M} {zone.shown}"
