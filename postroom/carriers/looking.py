"""Look (transition 4): pays the wake-up and says, from the rows alone, what is due and when the next thing is."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from postroom.carriers.stories import Wait, tell
from postroom.contracts.carriers import Due, Plan
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection
from postroom.timing import Timing

# The lock comes first and the members are read after it: whoever joined before the lock is seen, whoever joins later
# owes a new look.
LOCK = "SELECT state FROM carriers WHERE id = %(carrier_id)s FOR NO KEY UPDATE"

# A sleeper is expected back at its next time, a busy one after its pass has shown life (`still_here`). What policy said
# about the next wait tells by whose clock it ends.
READ_AND_PAY = """
WITH members AS MATERIALIZED (
    SELECT id, state, channel, strategy, due_at, expires_at, cancel_requested, scheduled_at, send_now
    FROM notifications WHERE carrier_id = %(carrier_id)s
), parts AS (
    SELECT m.id, coalesce(d.channel, m.channel) AS channel, d.state, d.attempt - d.plan_start AS tries,
           CASE WHEN d.id IS NULL OR d.state IN ('pending', 'deferred') THEN greatest(m.due_at, d.not_before)
                WHEN d.state IN ('claimed', 'handing_off') THEN d.lease_until
                WHEN d.state IN ('unknown', 'held') THEN d.not_before END AS at,
           CASE WHEN d.id IS NULL OR d.state IN ('pending', 'deferred', 'claimed')
                THEN least(m.expires_at, d.expires_at) END AS ends,
           d.reason, d.provider, m.scheduled_at
    FROM members m LEFT JOIN deliveries d ON d.notification_id = m.id
    WHERE m.state = 'open'
), settleable AS (
    SELECT m.id, m.channel
    FROM members m LEFT JOIN deliveries d ON d.notification_id = m.id
    WHERE m.state = 'open'
    GROUP BY m.id, m.channel, m.strategy, m.cancel_requested
    HAVING NOT coalesce(bool_or(d.state IN ('claimed', 'handing_off', 'unknown', 'held')), false)
        AND (m.cancel_requested
             OR (count(d.id) > 0 AND NOT bool_or(d.state IN ('pending', 'deferred')))
             OR (m.strategy = 'first' AND coalesce(bool_or(d.state = 'accepted'), false)))
), due AS (
    SELECT channel, count(DISTINCT id) AS count
    FROM (SELECT id, channel FROM parts WHERE at <= now() OR ends <= now()
          UNION SELECT id, channel FROM settleable) ready
    GROUP BY channel
), upcoming AS (
    SELECT id, least(at, ends) AS at, state, tries, reason, provider, scheduled_at, channel,
           ends IS NOT NULL AND ends < at AS ending
    FROM parts WHERE least(at, ends) > now() ORDER BY least(at, ends) LIMIT 1
), standing AS (
    SELECT EXISTS (SELECT FROM members WHERE state = 'open') AS open,
           (SELECT at - now() FROM upcoming WHERE NOT EXISTS (SELECT FROM due)) AS wait
), paid AS (
    UPDATE carriers c SET owed = false, pokes = 0, state = CASE WHEN s.open THEN 'open' ELSE 'closed' END,
        closed_at = CASE WHEN NOT s.open THEN now() END,
        wake_by = now() + coalesce(s.wait, interval '0') + %(grace)s
    FROM standing s WHERE c.id = %(carrier_id)s
)
SELECT (SELECT coalesce(jsonb_object_agg(channel, count), '{}') FROM due) AS due,
       (SELECT coalesce(jsonb_object_agg(state, count), '{}')
        FROM (SELECT state, count(*) AS count FROM members GROUP BY state) states) AS counts,
       (SELECT at - now() FROM upcoming) AS wait,
       (SELECT to_jsonb(upcoming) || jsonb_build_object('told', (
            SELECT detail FROM notification_events e
            WHERE e.notification_id = upcoming.id AND e.kind = 'deferred_by_policy' AND e.reason = upcoming.reason
            ORDER BY e.id DESC LIMIT 1)) FROM upcoming) AS upcoming
"""


@dataclass(frozen=True, slots=True)
class Lookout:
    """Looks at one carrier inside the caller's transaction."""

    timing: Timing

    async def look(self, connection: Connection, carrier_id: UUID) -> Plan:
        """Pay the wake-up of a carrier and return its plan; `closed` is final.

        Runs in the caller's transaction, after any lock on notifications and deliveries (one lock order).
        """
        carrier = await (await connection.execute(LOCK, {"carrier_id": carrier_id})).fetchone()
        if carrier is None or carrier["state"] == "closed":
            return Plan(closed=True)
        parameters = {"carrier_id": carrier_id, "grace": self.timing.watch_grace}
        [row] = await (await connection.execute(READ_AND_PAY, parameters)).fetchall()
        counts: dict[str, int] = row["counts"]
        due = tuple(Due(ChannelKind(channel), count) for channel, count in sorted(row["due"].items()))
        return Plan(
            closed=not counts.get("open"),
            due=due,
            wait=None if due else row["wait"],
            story=_story(row["upcoming"], row["wait"]),
            counts=counts,
        )


def _story(upcoming: dict[str, object] | None, wait: timedelta | None) -> str:
    return tell(Wait.of(upcoming, wait)) if upcoming and wait is not None else ""
