"""Waits that are not a message's own: a provider nobody can reach, and members let go (transition 13)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from postroom.channels.base import Answer, Pace
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection

# An outage is told once, not at every look at it. Those who wait for a limit come back by and by, as many at a time as
# it lets through: all at once, most of them would only be put off again.
PUT_OFF = """
WITH behind AS (
    SELECT d.id, (row_number() OVER (ORDER BY d.id) - 1) / %(count)s * %(every)s::interval AS later
    FROM deliveries d JOIN notifications n ON n.id = d.notification_id
    WHERE n.id = ANY(%(ids)s) AND n.state = 'open' AND d.channel = %(channel)s
        AND d.state IN ('pending', 'deferred') AND d.not_before < now() + %(wait)s
), moved AS (
    UPDATE deliveries d SET not_before = now() + %(wait)s + b.later, reason = %(reason)s
    FROM behind b WHERE d.id = b.id
    RETURNING d.notification_id, d.tenant_id, d.not_before, old.reason AS known
)
INSERT INTO notification_events (notification_id, tenant_id, kind, reason, detail)
SELECT notification_id, tenant_id, %(kind)s, %(reason)s, jsonb_build_object(
    'channel', %(channel)s::text, 'provider', %(provider)s::text, 'detail', %(detail)s::text,
    'wait_seconds', extract(epoch FROM not_before - now()), 'until', not_before)
FROM moved WHERE known IS DISTINCT FROM %(reason)s
"""

# One receiver among many: the ledger has moved what was claimed for it; here it is told, once between two attempts.
TELL_BUSY = """
INSERT INTO notification_events (notification_id, tenant_id, kind, reason, detail)
SELECT d.notification_id, d.tenant_id, 'destination_wait', b.reason, jsonb_strip_nulls(jsonb_build_object(
    'channel', d.channel, 'provider', b.provider, 'detail', b.detail, 'not_before', d.not_before))
FROM deliveries d JOIN unnest(%(addresses)s::text[], %(reasons)s::text[], %(providers)s::text[], %(details)s::text[])
    AS b (address, reason, provider, detail) ON b.address = d.address
WHERE d.notification_id = ANY(%(ids)s) AND d.state = 'pending' AND d.reason = b.reason AND d.not_before > now()
    AND NOT EXISTS (
        SELECT FROM notification_events e
        WHERE e.notification_id = d.notification_id AND e.kind = 'destination_wait' AND e.reason = b.reason
            AND e.at > coalesce(d.marked_at, d.created_at))
"""

# Alone, a message keeps its workflow and its story; in company it may go back to the relay, which gathers those that
# wait for the same minute. What waits in a digest has its story in the digest's workflow.
RELEASE = """
UPDATE notifications n SET carrier_id = NULL, due_at = greatest(n.due_at, d.not_before)
FROM deliveries d, carriers c
WHERE c.id = %(carrier_id)s AND (c.size > 1 OR d.reason = 'digest') AND n.carrier_id = c.id
    AND n.id = ANY(%(ids)s) AND n.state = 'open'
    AND NOT n.send_now AND NOT n.cancel_requested AND n.strategy = 'first' AND d.notification_id = n.id
    AND d.state IN ('pending', 'deferred') AND greatest(n.due_at, d.not_before) > now() + %(after)s
"""


AT_ONCE = Pace(1, timedelta(0))


async def put_off(connection: Connection, ids: Sequence[UUID], channel: ChannelKind, outage: Answer) -> None:
    """Move what waits over one channel behind an outage or a limit by `outage.retry_after`; rows are locked already."""
    pace = outage.pace or AT_ONCE
    await connection.execute(
        PUT_OFF,
        {
            "ids": list(ids),
            "channel": channel,
            "wait": outage.retry_after or timedelta(seconds=1),
            "reason": outage.reason,
            "provider": outage.provider,
            "detail": outage.detail,
            "kind": "provider_limit" if outage.pace else "provider_outage",
            "count": pace.count,
            "every": pace.every,
        },
    )


async def tell_busy(connection: Connection, ids: Sequence[UUID], busy: Mapping[tuple[str, str], Answer]) -> None:
    """Write into the timelines which destinations take nothing now; `busy` is by address and reason."""
    await connection.execute(
        TELL_BUSY,
        {
            "ids": list(ids),
            "addresses": [address for address, _ in busy],
            "reasons": [reason for _, reason in busy],
            "providers": [answer.provider for answer in busy.values()],
            "details": [answer.detail for answer in busy.values()],
        },
    )


async def release(connection: Connection, carrier_id: UUID, ids: Sequence[UUID], after: timedelta) -> int:
    """Give members that wait longer than `after` back to the relay; returns how many.

    Only of those the caller has locked: whoever joined since would be locked out of order.
    """
    parameters = {"carrier_id": carrier_id, "ids": list(ids), "after": after}
    return (await connection.execute(RELEASE, parameters)).rowcount
