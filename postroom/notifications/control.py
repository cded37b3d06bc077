"""Cancel, reschedule, send now, retry: one transaction each, answered from what it saw under lock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.carriers.poking import owe_look
from postroom.contracts.vocabulary import DeliveryState, MessageClass, NotificationState
from postroom.database.engine import Connection, Database
from postroom.deliveries.settling import correct_some
from postroom.errors import Conflict, Invalid, NotFound
from postroom.notifications.changes import reopen, withdraw
from postroom.notifications.placeholders import WORDLESS
from postroom.timing import Timing

NOTIFICATION = """
SELECT id, tenant_id, state, reason, class, carrier_id, expires_at, strategy,
       expires_at - coalesce(scheduled_at, created_at) AS life
FROM notifications WHERE id = %(id)s FOR NO KEY UPDATE
"""

DELIVERIES = (
    "SELECT id, state, resends, position FROM deliveries WHERE notification_id = %(id)s ORDER BY id FOR NO KEY UPDATE"
)

EVENT = """
INSERT INTO notification_events (notification_id, tenant_id, at, kind, detail)
VALUES (%(id)s, %(tenant_id)s, now(), %(kind)s, %(detail)s)
"""

RESCHEDULE = """
UPDATE notifications SET due_at = %(due_at)s, scheduled_at = %(due_at)s, expires_at = %(expires_at)s, send_now = false
WHERE id = %(id)s
"""

# The channel's share of the time-to-live starts anew at the new time.
PUT_BACK = """
UPDATE deliveries d SET state = 'pending', reason = NULL, token = NULL, not_before = %(due_at)s,
    expires_at = CASE WHEN n.strategy = 'first' AND d.position + 1 < cardinality(n.channels)
                      THEN least(n.expires_at, %(due_at)s + n.fallback_after) ELSE n.expires_at END
FROM notifications n
WHERE n.id = d.notification_id AND n.id = %(id)s AND d.state IN ('pending', 'claimed', 'deferred')
"""

SEND_NOW = "UPDATE notifications SET due_at = now(), send_now = true WHERE id = %(id)s"

HURRY = """
UPDATE deliveries SET state = CASE WHEN state = 'deferred' THEN 'pending' ELSE state END, not_before = now()
WHERE notification_id = %(id)s AND state IN ('pending', 'deferred')
"""

SEND_HELD = """
UPDATE deliveries SET state = 'pending', reason = 'sent_again_on_request', resends = resends + 1, not_before = now()
WHERE notification_id = %(id)s AND state = 'held' AND resends = 0 AND expires_at > now()
    AND EXISTS (SELECT FROM notifications n WHERE n.id = %(id)s AND NOT n.cancel_requested AND n.expires_at > now())
"""

UNANSWERED = frozenset({DeliveryState.HANDING_OFF, DeliveryState.UNKNOWN, DeliveryState.HELD})


@dataclass(frozen=True, slots=True)
class Standing:
    """What a control action saw under its locks."""

    row: Mapping[str, Any]
    deliveries: Sequence[Mapping[str, Any]]

    @property
    def id(self) -> UUID:
        """The notification's id."""
        return UUID(str(self.row["id"]))

    def any_in(self, states: frozenset[DeliveryState]) -> bool:
        """Whether a delivery is in one of these states."""
        return any(delivery["state"] in states for delivery in self.deliveries)


class Control:
    """Control actions of the API; they write Postgres only, and the relay pokes the carrier until it has looked."""

    def __init__(self, database: Database, timing: Timing) -> None:
        self._database = database
        self._timing = timing

    async def cancel(self, tenant_id: UUID, notification_id: UUID) -> str:
        """Cancel: `cancelled` when nothing is being handed off, else `cancelling`; no hand-off starts after either.

        Raises:
            NotFound: the tenant has no such notification.
            Conflict: it is over already (`already_final`), or a provider has accepted it (`already_sent`).
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            seen = await _open(connection, notification_id)
            ends = await withdraw(connection, [seen.id])
            cancelled = ends[seen.id] is NotificationState.CANCELLED
            return "cancelled" if cancelled else "cancelling"

    async def reschedule(self, tenant_id: UUID, notification_id: UUID, due_at: datetime) -> str:
        """Move the due time, and with it a time-to-live that nobody named; answers `rescheduled`.

        Raises:
            NotFound: the tenant has no such notification.
            Conflict: over, sent, or being handed off right now (`in_flight`).
            Invalid: the new time is past the time-to-live (`after_expiry`).
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            seen = await _open(connection, notification_id)
            if seen.any_in(UNANSWERED):
                raise Conflict("It is being handed off right now.", code="in_flight")
            expires_at = self._end(seen, due_at)
            if due_at >= expires_at:
                raise Invalid("The new time is past the notification's expires_at.", code="after_expiry")
            parameters = {"id": seen.id, "due_at": due_at, "expires_at": expires_at}
            await connection.execute(RESCHEDULE, parameters)
            await connection.execute(PUT_BACK, parameters)
            await _note(connection, seen, "rescheduled", {"due_at": due_at.isoformat()})
            await _owe(connection, seen)
            return "rescheduled"

    def _end(self, seen: Standing, due_at: datetime) -> datetime:
        life = self._timing.life(MessageClass(seen.row["class"]))
        end: datetime = seen.row["expires_at"]
        return due_at + life if seen.row["life"] == life else end

    async def send_now(self, tenant_id: UUID, notification_id: UUID) -> str:
        """Send at once, past schedule and retry waits: `due`, or `noted` while a hand-off is open.

        For a held message it is the caller's explicit re-send, once.

        Raises:
            NotFound: the tenant has no such notification.
            Conflict: over, sent, or held and not to be sent again (`resend_refused`).
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            seen = await _open(connection, notification_id)
            doubtful = seen.any_in(UNANSWERED - {DeliveryState.HELD})
            await connection.execute(SEND_NOW, {"id": seen.id})
            await connection.execute(HURRY, {"id": seen.id})
            again = await connection.execute(SEND_HELD, {"id": seen.id})
            if seen.any_in(frozenset({DeliveryState.HELD})) and not again.rowcount:
                raise Conflict(
                    "Nobody knows the outcome, and it may not be sent again: it was once already, is being cancelled, "
                    "or is past its time-to-live.",
                    code="resend_refused",
                )
            await _note(connection, seen, "send_now")
            await _owe(connection, seen)
            return "noted" if doubtful else "due"

    async def retry(self, tenant_id: UUID, notification_id: UUID) -> str:
        """Open a failed notification again with a new plan and a new time-to-live; answers `open`.

        Raises:
            NotFound: the tenant has no such notification.
            Conflict: it has not failed (`not_failed`), it never had words that could be sent (`no_words`), or late
                evidence says it was sent (`already_sent`).
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            seen = await _standing(connection, notification_id)
            if seen.row["state"] != NotificationState.FAILED:
                raise Conflict("Only a failed notification can be retried.", code="not_failed")
            if seen.row["reason"] in WORDLESS:
                detail = "A variable was missing or did not fit, so it has no words; ask for it anew."
                raise Conflict(detail, code="no_words")
            late = await correct_some(connection, [seen.id])
            if not late:
                await reopen(connection, [seen.id], self._timing.life(MessageClass(seen.row["class"])))
        if late:
            raise Conflict("A provider has accepted it after all.", code="already_sent")
        return "open"


async def _standing(connection: Connection, notification_id: UUID) -> Standing:
    row = await (await connection.execute(NOTIFICATION, {"id": notification_id})).fetchone()
    if row is None:
        raise NotFound("There is no such notification.")
    return Standing(row, await (await connection.execute(DELIVERIES, {"id": notification_id})).fetchall())


async def _open(connection: Connection, notification_id: UUID) -> Standing:
    seen = await _standing(connection, notification_id)
    if seen.row["state"] != NotificationState.OPEN:
        raise Conflict(f"The notification is {seen.row['state']} already.", code="already_final")
    if seen.any_in(frozenset({DeliveryState.ACCEPTED})) and seen.row["strategy"] == "first":
        raise Conflict("A provider has accepted it already.", code="already_sent")
    return seen


async def _note(connection: Connection, seen: Standing, kind: str, detail: Mapping[str, Any] | None = None) -> None:
    """Tell the timeline, at the moment of this transaction: before the end it may bring about."""
    parameters = {"id": seen.id, "tenant_id": seen.row["tenant_id"], "kind": kind, "detail": Jsonb(detail or {})}
    await connection.execute(EVENT, parameters)


async def _owe(connection: Connection, seen: Standing) -> None:
    if seen.row["carrier_id"]:
        await owe_look(connection, [seen.row["carrier_id"]])
