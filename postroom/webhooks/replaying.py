"""Tests and replays: what an endpoint is sent on request, through the ordinary ledger, so that it has a timeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.contracts.vocabulary import DeliveryState
from postroom.database.engine import Database
from postroom.errors import Conflict, Invalid, NotFound
from postroom.identity import ENDPOINT, new_id, public_id
from postroom.notifications.naming import made_before
from postroom.notifications.request import IdempotencyKey
from postroom.statistics.repository import CLOCK_SLACK, first_id
from postroom.webhooks.addressing import DISABLED
from postroom.webhooks.models import MESSAGE, EndpointState
from postroom.webhooks.outgoing import TEST, WRITE

MOST = 1_000  # messages of one replay; those accepted at the same moment as the last one come along
LONGEST = timedelta(days=30)
SECONDS = 5
FAILED = (DeliveryState.REJECTED, DeliveryState.FAILED, DeliveryState.EXPIRED, DeliveryState.SKIPPED)
ENDED = (*FAILED, DeliveryState.ACCEPTED)

STATE = "SELECT state FROM webhook_endpoints WHERE id = %(id)s"
DELIVERY = "SELECT state, notification_id FROM deliveries WHERE id = %(delivery_id)s"
COUNT = """
SELECT count(*) AS count, max(n.created_at) + interval '1 microsecond' AS until
FROM webhook_messages w
LEFT JOIN deliveries d ON d.id = w.message_id
LEFT JOIN notifications n ON n.id = d.notification_id
WHERE w.replay_id = %(replay_id)s
"""
ACCEPTED_AT = "SELECT created_at AS accepted_at FROM notifications WHERE id = %(id)s"

# The same bytes where there were any; their webhook-id is the one of the first time, so a receiver that has them knows.
# What a template would have said and never did has no bytes: it is retried, not replayed.
REPLAY = f"""
WITH found AS MATERIALIZED (
    SELECT n.id AS notification_id, d.id AS delivery_id, e.id AS endpoint_id, e.event_life AS life, n.created_at
    FROM webhook_endpoints e, notifications n JOIN deliveries d ON d.notification_id = n.id
    WHERE e.id = %(endpoint_id)s AND d.channel = 'webhook' AND d.state = ANY(%(states)s)
        AND (d.address = %(address)s
             OR EXISTS (SELECT FROM webhook_messages w WHERE w.notification_id = n.id AND w.endpoint_id = e.id)
             OR d.address IS NULL AND e.url = (
                 SELECT coalesce(p.metadata ->> 'webhook_url', c.addresses ->> 'webhook') FROM notification_contents p
                 LEFT JOIN contacts c ON c.tenant_id = n.tenant_id AND c.user_id = n.user_id
                 WHERE p.notification_id = n.id))
        AND CASE WHEN %(delivery_id)s::uuid IS NULL THEN n.origin IN ('request', 'event', 'digest')
                 ELSE d.id = %(delivery_id)s END
        AND (EXISTS (SELECT FROM delivery_messages m WHERE m.delivery_id = d.id) OR NOT EXISTS (
                 SELECT FROM notification_contents p WHERE p.notification_id = n.id AND p.template_id IS NOT NULL))
        AND n.id BETWEEN %(first)s AND %(last)s
        AND n.created_at >= coalesce(%(since)s::timestamptz, '-infinity')
        AND n.created_at < coalesce(%(until)s::timestamptz, 'infinity')
    ORDER BY n.created_at FETCH FIRST %(limit)s ROWS WITH TIES
), chosen AS MATERIALIZED (
    SELECT f.notification_id, n.tenant_id, f.endpoint_id, f.life, f.created_at, m.message,
           coalesce(w.message_id, d.id) AS message_id, coalesce(w.type, '{MESSAGE}') AS type,
           coalesce(w.occurred_at, d.created_at) AS occurred_at,
           coalesce(w.data, jsonb_build_object('notification_id', n.id, 'user_id', n.user_id,
               'notification_type', n.notification_type, 'title', p.title,
               'content', jsonb_build_object('text', p.body_text, 'html', p.body_html), 'metadata', p.metadata)) AS data
    FROM found f
    JOIN notifications n ON n.id = f.notification_id
    JOIN deliveries d ON d.id = f.delivery_id
    JOIN notification_contents p ON p.notification_id = n.id
    LEFT JOIN webhook_messages w ON w.notification_id = n.id
    LEFT JOIN delivery_messages m ON m.delivery_id = d.id
), outgoing AS MATERIALIZED (
    SELECT uuidv7() AS id, uuidv7() AS delivery_id, tenant_id, endpoint_id, 'replay' AS origin, type, occurred_at, data,
           message_id, %(replay_id)s::uuid AS replay_id, life, message, created_at
    FROM chosen
), {WRITE}, placed AS (
    INSERT INTO deliveries (id, tenant_id, notification_id, position, channel, expires_at)
    SELECT delivery_id, tenant_id, id, 0, 'webhook', now() + life FROM outgoing WHERE message IS NOT NULL
), kept AS (
    INSERT INTO delivery_messages (delivery_id, tenant_id, message)
    SELECT delivery_id, tenant_id, message FROM outgoing WHERE message IS NOT NULL
)
SELECT count(*) AS count, max(created_at) + interval '1 microsecond' AS until FROM outgoing
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to send again: one delivery, or what was accepted in a span of time; of that only the failed, or all."""

    delivery_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many messages are on their way again; there may be more behind `until` when it is given."""

    id: UUID
    count: int
    until: datetime | None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Tested:
    """A test event on its way."""

    notification_id: UUID
    accepted_at: datetime
    again: bool = False


class Replays:
    """Sends endpoints what they are to see again; every call is one transaction of the tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def test(self, tenant_id: UUID, endpoint_id: UUID, key: IdempotencyKey | None) -> Tested:
        """Send a test event.

        Raises:
            NotFound: the tenant has no such endpoint.
            Conflict: it is disabled.
        """
        notification_id = new_id()
        async with self._database.tenant_session(tenant_id) as session:
            await _require_enabled(session, endpoint_id)
            earlier = await made_before(session, tenant_id, key, notification_id)
            if earlier:
                row = await _row(session, ACCEPTED_AT, {"id": earlier})
            else:
                row = await _row(session, TEST, {"id": endpoint_id, "notification_id": notification_id})
        if row is None:
            raise NotFound("There is no such webhook endpoint.")
        return Tested(earlier or notification_id, row["accepted_at"], again=bool(earlier))

    async def replay(
        self, tenant_id: UUID, endpoint_id: UUID, selection: Selection, key: IdempotencyKey | None
    ) -> Replayed:
        """Send again what was sent, or should have been.

        Raises:
            NotFound: the tenant has no such endpoint, or the endpoint no such delivery.
            Conflict: the endpoint is disabled, or the delivery has not ended, or was cancelled.
            Invalid: the span of time is none, or too long.
        """
        if selection.since and not timedelta(0) < _span(selection) <= LONGEST:
            raise Invalid.at(
                "/until", "invalid_range", f"A span ends after it begins and has up to {LONGEST.days} days."
            )
        replay_id = new_id()
        async with self._database.tenant_session(tenant_id) as session:
            await session.execute(text(f"SET LOCAL statement_timeout = '{SECONDS}s'"))
            await _require_enabled(session, endpoint_id)
            if earlier := await made_before(session, tenant_id, key, replay_id):
                row = await _row(session, COUNT, {"replay_id": earlier}) or {}
                return Replayed(earlier, row["count"], _more(row, selection), again=True)
            ids = await _between(session, selection)
            row = await _row(session, REPLAY, _chosen(endpoint_id, replay_id, selection, ids)) or {}
            if selection.delivery_id and not row["count"]:
                raise _no_delivery()
        return Replayed(replay_id, row["count"], _more(row, selection))


def _more(row: Mapping[str, Any], selection: Selection) -> datetime | None:
    """Say where to go on: behind all of the last moment, or a batch of one moment would come again for ever."""
    if row["count"] < MOST or selection.until is None or row["until"] is None or row["until"] >= selection.until:
        return None
    until: datetime = row["until"]
    return until


def _span(selection: Selection) -> timedelta:
    if selection.since is None or selection.until is None:
        return timedelta(0)
    return selection.until - selection.since


async def _between(session: AsyncSession, selection: Selection) -> tuple[UUID, UUID]:
    """Return between which notifications to look; for one delivery its own, and only if it may go again."""
    if selection.since and selection.until:
        return first_id(selection.since, -CLOCK_SLACK), first_id(selection.until, CLOCK_SLACK)
    row = await _row(session, DELIVERY, {"delivery_id": selection.delivery_id})
    if row is None:
        raise _no_delivery()
    if row["state"] == DeliveryState.CANCELLED:
        raise Conflict("This delivery is cancelled already.", code="already_final")
    if row["state"] not in ENDED:
        raise Conflict("This delivery has not ended.", code="not_final")
    return row["notification_id"], row["notification_id"]


def _no_delivery() -> NotFound:
    return NotFound("This endpoint has no such delivery.")


def _chosen(endpoint_id: UUID, replay_id: UUID, selection: Selection, ids: tuple[UUID, UUID]) -> Mapping[str, Any]:
    return {
        "endpoint_id": endpoint_id,
        "address": public_id(ENDPOINT, endpoint_id),
        "replay_id": replay_id,
        "delivery_id": selection.delivery_id,
        "states": list(ENDED if selection.everything or selection.delivery_id else FAILED),
        "since": selection.since,
        "until": selection.until,
        "first": ids[0],
        "last": ids[1],
        "limit": MOST,
    }


async def _require_enabled(session: AsyncSession, endpoint_id: UUID) -> None:
    row = await _row(session, STATE, {"id": endpoint_id})
    if row is None:
        raise NotFound("There is no such webhook endpoint.")
    if row["state"] != EndpointState.ENABLED:
        raise Conflict("This webhook endpoint is disabled.", code=DISABLED)


async def _row(session: AsyncSession, statement: str, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Run a statement of the driver's own spelling and return its first row."""
    connection = await session.connection()
    row = (await connection.exec_driver_sql(statement, dict(parameters))).mappings().first()
    return dict(row) if row else None
