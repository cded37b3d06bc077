"""Settles locked notifications from their deliveries: lost hand-offs, expiry, the next channel, the final state.

Transitions 12, 14, 16 and 17. Every function expects the notifications locked (`locking`) in the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES
from postroom.database.engine import Connection
from postroom.database.wording import listed
from postroom.deliveries.reconciling import LOSE_LAPSED
from postroom.webhooks.outgoing import ENDED, HEARD, told_of

# Locks the deliveries of locked notifications, and says what the statements below could find to do: mostly nothing, and
# one question is cheaper than four.
LOCK = f"""
WITH locked AS MATERIALIZED (
    SELECT state, lease_until, not_before, expires_at FROM deliveries
    WHERE notification_id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE
)
SELECT coalesce(d.lapsed, false) AS lapsed, coalesce(n.over, false) OR coalesce(d.over, false) AS over,
       coalesce(n.unwanted, false) AS unwanted, coalesce(d.ended, false) AS ended,
       coalesce(n.has_next, false) AS has_next, coalesce(d.doubtful, false) AS doubtful,
       coalesce(d.waiting, false) AS waiting, {HEARD} AS heard
FROM (
    SELECT bool_or(expires_at <= now()) AS over, bool_or(cancel_requested) AS unwanted,
           bool_or(strategy = 'first' AND cardinality(channels) > 1) AS has_next
    FROM notifications WHERE id = ANY(%(ids)s) AND state = 'open'
) n, (
    SELECT bool_or(state = 'handing_off' AND lease_until < now()) AS lapsed, bool_or(expires_at <= now()) AS over,
           bool_or(state IN {listed(FINAL_DELIVERY_STATES)}) AS ended,
           bool_or(state = 'handing_off' OR (state IN ('unknown', 'held') AND not_before <= now())) AS doubtful,
           bool_or(state IN ('pending', 'deferred')) AS waiting
    FROM locked
) d
"""

# Transition 14.
LOSE = LOSE_LAPSED.format(which="d.notification_id = ANY(%(ids)s)")

# 16: what was never marked, or was definitely put off, may expire; a claim is revoked with it.
EXPIRE = """
UPDATE deliveries d SET state = 'expired', token = NULL, ended_at = now(),
    reason = CASE WHEN n.expires_at <= now() THEN 'expired' ELSE 'channel_expired' END
FROM notifications n
WHERE n.id = d.notification_id AND n.id = ANY(%(ids)s) AND n.state = 'open'
    AND d.state IN ('pending', 'claimed', 'deferred') AND least(n.expires_at, d.expires_at) <= now()
"""

# What waits can be withdrawn at once, whatever another channel is still doing.
WITHDRAW = """
UPDATE deliveries d SET state = 'cancelled', reason = 'cancelled', token = NULL, ended_at = now()
FROM notifications n
WHERE n.id = d.notification_id AND n.id = ANY(%(ids)s) AND n.state = 'open' AND n.cancel_requested
    AND d.state IN ('pending', 'deferred')
"""

# 12, the table. Read from the top: the first line that holds decides; no line holds while anything is in flight.
VERDICTS = """
WITH sums AS (
    SELECT n.id, n.strategy, n.channels, n.cancel_requested, n.ambiguous, n.expires_at <= now() AS over,
           count(d.id) AS parts,
           coalesce(bool_or(d.state IN ('claimed', 'handing_off', 'unknown', 'held')), false) AS busy,
           coalesce(bool_or(d.state IN ('pending', 'deferred')), false) AS waiting,
           coalesce(bool_or(d.state = 'accepted'), false) AS accepted,
           coalesce(bool_or(d.reason = 'outcome_unknown'), false) AS nobody_knows,
           coalesce(bool_or(d.state IN ('rejected', 'failed')), false) AS refused,
           coalesce(bool_or(d.state = 'expired'), false) AS expired,
           coalesce(bool_or(d.state = 'cancelled'), false) AS cancelled,
           coalesce(bool_or(d.reason = 'digested'), false) AS digested,
           coalesce(max(d.position) + 1, 0) AS next_position,
           (array_agg(d.reason ORDER BY d.state = 'accepted' DESC, d.state IN ('rejected', 'failed') DESC,
                      d.state = 'expired' DESC, d.position DESC))[1] AS reason
    FROM notifications n LEFT JOIN deliveries d ON d.notification_id = n.id
    WHERE n.id = ANY(%(ids)s) AND n.state = 'open'
    GROUP BY n.id
)
SELECT *, CASE
    WHEN busy THEN NULL
    WHEN accepted AND (strategy = 'first' OR cancel_requested OR NOT waiting) THEN 'sent'
    WHEN nobody_knows AND (cancel_requested OR NOT waiting) THEN 'failed'
    WHEN cancel_requested THEN 'cancelled'
    WHEN parts = 0 THEN CASE WHEN over THEN 'expired' END
    WHEN waiting THEN NULL
    WHEN strategy = 'first' AND digested THEN 'skipped'
    WHEN strategy = 'first' AND next_position < cardinality(channels) AND NOT over AND NOT ambiguous THEN 'next'
    WHEN refused THEN 'failed'
    WHEN expired THEN 'expired'
    WHEN cancelled THEN 'cancelled'
    ELSE 'skipped' END AS verdict
FROM sums
"""

# The verdicts come first, for these rows alone; joined freely, they would be asked for every open notification.
ENDING = f"""
WITH verdicts AS MATERIALIZED ({VERDICTS}), ended AS (
    UPDATE notifications n SET state = v.verdict, ended_at = now(), reason = CASE
        WHEN v.verdict = 'cancelled' THEN 'cancelled'
        WHEN v.verdict = 'expired' THEN coalesce(v.reason, 'expired')
        WHEN v.verdict = 'skipped' AND v.digested THEN 'digested'
        WHEN v.verdict = 'failed' AND v.nobody_knows THEN 'outcome_unknown'
        ELSE v.reason END
    FROM verdicts v WHERE n.id = v.id AND v.verdict <> 'next'
    RETURNING {ENDED}
)"""
SUPERSEDE = """
UPDATE deliveries d SET state = 'cancelled', token = NULL, ended_at = now(),
    reason = CASE WHEN ended.state = 'sent' THEN 'superseded' ELSE 'cancelled' END
FROM ended WHERE d.notification_id = ended.id AND d.state IN ('pending', 'deferred')
"""
SETTLE = ENDING + SUPERSEDE
SETTLE_AND_TELL = f"{ENDING}, {told_of('ended')}{SUPERSEDE}"

# The next channel has its turn only after a definite end of the one before: over an attempt that may have arrived it
# would be a second copy.
NEXT = f"""
WITH verdicts AS MATERIALIZED ({VERDICTS}), turned AS (
    UPDATE notifications n SET channel = n.channels[v.next_position + 1], due_at = greatest(n.due_at, now())
    FROM verdicts v WHERE n.id = v.id AND v.verdict = 'next'
    RETURNING n.id, n.tenant_id, n.channel, n.expires_at, n.fallback_after, v.next_position, v.reason,
              v.next_position + 1 < cardinality(n.channels) AS more
), made AS (
    INSERT INTO deliveries (tenant_id, notification_id, position, channel, expires_at)
    SELECT tenant_id, id, next_position, channel,
           CASE WHEN more THEN least(expires_at, now() + fallback_after) ELSE expires_at END
    FROM turned ON CONFLICT (notification_id, position) WHERE notification_id IS NOT NULL DO NOTHING
)
INSERT INTO notification_events (notification_id, tenant_id, kind, reason, detail)
SELECT id, tenant_id, 'next_channel', reason, jsonb_build_object('channel', channel) FROM turned
"""

# 17: evidence that came after the end; the only change a terminal state ever sees.
CORRECT = f"""
WITH late AS (
    SELECT d.id, d.notification_id FROM deliveries d WHERE d.id = ANY(%(ids)s) AND d.late AND d.state = 'accepted'
), corrected AS (
    UPDATE notifications n SET state = 'sent', reason = 'late_evidence', ended_at = now()
    WHERE n.id IN (SELECT notification_id FROM late) AND n.state NOT IN ('open', 'sent')
    RETURNING {ENDED}
), noted AS (
    INSERT INTO notification_events (notification_id, tenant_id, kind, reason)
    SELECT id, tenant_id, 'corrected', 'late_evidence' FROM corrected
), {told_of("corrected")}
UPDATE deliveries SET late = false WHERE id IN (SELECT id FROM late)
"""

LATE = """
SELECT n.id AS notification_id, d.id FROM deliveries d JOIN notifications n ON n.id = d.notification_id
WHERE d.late ORDER BY n.id LIMIT %(limit)s FOR NO KEY UPDATE OF n SKIP LOCKED
"""

LATE_OF = """
SELECT id, notification_id FROM deliveries WHERE notification_id = ANY(%(ids)s) AND state = 'accepted'
"""

REVIVE = "UPDATE deliveries SET late = true WHERE id = ANY(%(ids)s)"


@dataclass(frozen=True, slots=True)
class Seen:
    """What there may be left to do: a doubtful hand-off to ask about now, a delivery that waits for its time."""

    doubtful: bool = False
    waiting: bool = False


async def settle(connection: Connection, ids: Sequence[UUID]) -> Seen:
    """Lock the deliveries of locked notifications and bring them as far as these allow.

    Lost, expired, next channel, final: in this order, and only what the locked rows call for.
    """
    if not ids:
        return Seen()
    parameters = {"ids": list(ids)}
    [found] = await (await connection.execute(LOCK, parameters)).fetchall()
    if found["lapsed"]:
        await connection.execute(LOSE, parameters)
    if found["over"]:
        await connection.execute(EXPIRE, parameters)
    if found["unwanted"]:
        await connection.execute(WITHDRAW, parameters)
    if found["over"] or found["unwanted"] or found["ended"]:
        await connection.execute(SETTLE_AND_TELL if found["heard"] else SETTLE, parameters)
        if found["has_next"]:
            await connection.execute(NEXT, parameters)
    return Seen(doubtful=found["doubtful"] or found["lapsed"], waiting=found["waiting"] or found["has_next"])


async def correct_late(connection: Connection, limit: int) -> int:
    """Turn notifications whose acceptance was learned after their end into sent; returns how many were looked at."""
    rows = await connection.execute(LATE, {"limit": limit})
    ids = [row["id"] async for row in rows]
    if ids:
        await connection.execute(CORRECT, {"ids": ids})
    return len(ids)


async def correct_some(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Correct those of these locked terminal notifications that have an accepted delivery, and return their ids."""
    rows = await (await connection.execute(LATE_OF, {"ids": list(ids)})).fetchall()
    if rows:
        accepted = {"ids": [row["id"] for row in rows]}
        await connection.execute(REVIVE, accepted)
        await connection.execute(CORRECT, accepted)
    return {row["notification_id"] for row in rows}
