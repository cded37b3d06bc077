"""Puts notifications that policy keeps for later into the digest of their person, type and channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from postroom.contracts.vocabulary import MessageClass
from postroom.database.engine import Connection
from postroom.digests.poking import owe_look
from postroom.identity import DIGEST, public_id
from postroom.timing import Timing

KEYS = """
SELECT DISTINCT ON (user_id, notification_type, channel) user_id, notification_type, channel, closes_at
FROM unnest(%(users)s::text[], %(types)s::text[], %(channels)s::text[], %(closings)s::timestamptz[])
    AS item (user_id, notification_type, channel, closes_at)
ORDER BY user_id, notification_type, channel, closes_at
"""

# Whoever locks several digests does it in the order of their keys. One whose time has come takes nothing more, whether
# or not its workflow has begun: what comes now belongs to the next one.
OVERDUE = f"""
WITH keys AS ({KEYS})
SELECT g.id FROM digests g JOIN keys k USING (user_id, notification_type, channel)
WHERE g.tenant_id = %(tenant_id)s AND g.state = 'open' AND g.closes_at <= now()
ORDER BY g.user_id, g.notification_type, g.channel FOR NO KEY UPDATE OF g
"""
CLOSE_OVERDUE = "UPDATE digests SET state = 'closing' WHERE id = ANY(%(ids)s) AND state = 'open' AND closes_at <= now()"

# The update locks a digest that is there already, and moves it: the latest decision knows the person's latest wish.
# One that somebody closed since this transaction began stays due, and takes what comes with it.
FIND_OR_OPEN = f"""
WITH keys AS ({KEYS})
INSERT INTO digests AS g (tenant_id, user_id, notification_type, channel, closes_at)
SELECT %(tenant_id)s, user_id, notification_type, channel, closes_at FROM keys
ORDER BY user_id, notification_type, channel
ON CONFLICT (tenant_id, user_id, notification_type, channel) WHERE state = 'open'
    DO UPDATE SET closes_at = CASE WHEN g.closes_at > clock_timestamp() THEN excluded.closes_at ELSE g.closes_at END
RETURNING g.id, g.user_id, g.notification_type, g.channel, g.closes_at, g.closing_id,
          old.closes_at <> g.closes_at AS moved
"""

# The delivery comes back by itself some time after its digest should have closed: should that ever get lost, policy
# decides anew. A time-to-live that nobody named begins when the digest closes.
ADD = """
WITH lives AS (
    SELECT i.notification_id, i.channel, g.digest_id, g.digest, g.closes_at, g.moved, n.expires_at, l.life,
           n.expires_at - coalesce(n.scheduled_at, n.created_at) = l.life
           OR EXISTS (SELECT FROM digest_items b WHERE b.notification_id = n.id AND b.outlives) AS outlives
    FROM unnest(%(notifications)s::uuid[], %(users)s::text[], %(types)s::text[], %(channels)s::text[])
        AS i (notification_id, user_id, notification_type, channel)
    JOIN unnest(%(digests)s::uuid[], %(digest_names)s::text[], %(digest_users)s::text[], %(digest_types)s::text[],
                %(digest_channels)s::text[], %(digest_closings)s::timestamptz[], %(digest_moves)s::boolean[])
        AS g (digest_id, digest, user_id, notification_type, channel, closes_at, moved)
        USING (user_id, notification_type, channel)
    JOIN notifications n ON n.id = i.notification_id
    CROSS JOIN LATERAL (
        SELECT CASE n.class WHEN 'security' THEN %(security)s WHEN 'marketing' THEN %(marketing)s
                            ELSE %(transactional)s END AS life) l
), items AS (
    SELECT *, CASE WHEN outlives THEN greatest(expires_at, closes_at + life) ELSE expires_at END AS ends FROM lives
), added AS (
    INSERT INTO digest_items (digest_id, notification_id, tenant_id, outlives)
    SELECT digest_id, notification_id, %(tenant_id)s, outlives FROM items
    ON CONFLICT DO NOTHING
    RETURNING digest_id, notification_id
), prolonged AS (
    UPDATE notifications n SET expires_at = i.ends
    FROM items i WHERE n.id = i.notification_id AND n.expires_at < i.ends
), put_off AS (
    UPDATE deliveries d SET state = 'pending', token = NULL, reason = 'digest', not_before = i.closes_at + %(grace)s,
        expires_at = CASE WHEN n.strategy = 'first' AND d.position + 1 < cardinality(n.channels)
                          THEN least(i.ends, greatest(d.expires_at, i.closes_at + %(grace)s + n.fallback_after))
                          ELSE i.ends END
    FROM items i JOIN notifications n ON n.id = i.notification_id
    WHERE d.notification_id = i.notification_id AND d.channel = i.channel
        AND d.state IN ('pending', 'claimed', 'deferred')
)
INSERT INTO notification_events (notification_id, tenant_id, kind, reason, detail)
SELECT i.notification_id, %(tenant_id)s, 'collected', 'digest',
       jsonb_build_object('digest', i.digest, 'channel', i.channel, 'closes_at', i.closes_at)
FROM items i LEFT JOIN added a USING (digest_id, notification_id)
WHERE a.digest_id IS NOT NULL OR i.moved
"""


@dataclass(frozen=True, slots=True)
class Collected:
    """A notification that waits for the digest of its person and type over one channel, and when that closes."""

    notification_id: UUID
    user_id: str
    notification_type: str
    channel: str
    closes_at: datetime


async def collect(connection: Connection, tenant_id: UUID, items: Sequence[Collected], timing: Timing) -> None:
    """Let these notifications wait in their digests, opening those that are not there yet.

    In the caller's transaction of this tenant, which has locked the notifications and their deliveries, and before any
    carrier is locked. Their open deliveries over the channel are put off until a while after the digest has closed; a
    notification that is in its digest already stays in it once.
    """
    if not items:
        return
    keys = _columns(tenant_id, items)
    overdue = [row["id"] async for row in await connection.execute(OVERDUE, keys)]
    if overdue:
        await connection.execute(CLOSE_OVERDUE, {"ids": overdue})
    digests = await (await connection.execute(FIND_OR_OPEN, keys)).fetchall()
    lives = {str(one): timing.life(one) for one in MessageClass}
    found = {
        "digests": [row["id"] for row in digests],
        "digest_names": [public_id(DIGEST, row["id"]) for row in digests],
        "digest_users": [row["user_id"] for row in digests],
        "digest_types": [row["notification_type"] for row in digests],
        "digest_channels": [row["channel"] for row in digests],
        "digest_closings": [row["closes_at"] for row in digests],
        "digest_moves": [bool(row["moved"]) for row in digests],
    }
    await connection.execute(ADD, keys | found | lives | {"grace": timing.digest_grace})
    await owe_look(connection, {row["closing_id"] for row in digests if row["moved"] and row["closing_id"]})


def _columns(tenant_id: UUID, items: Sequence[Collected]) -> dict[str, object]:
    return {
        "tenant_id": tenant_id,
        "notifications": [item.notification_id for item in items],
        "users": [item.user_id for item in items],
        "types": [item.notification_type for item in items],
        "channels": [item.channel for item in items],
        "closings": [item.closes_at for item in items],
    }
