"""The word a tenant reads for where a notification stands: one table, used for showing and for filtering alike.

A final state is its own word. An open notification is described by the first line below that fits; `unknown` and `held`
never read as anything better, and a wish to cancel is named before everything else.
"""

from enum import StrEnum

from sqlalchemy import ColumnElement, case, exists, func, select

from postroom.contracts.vocabulary import DeliveryState, NotificationState
from postroom.notifications.models import Delivery, Notification
from postroom.policy.reasons import Wait


class Status(StrEnum):
    """What the API calls the state of a notification."""

    PENDING = "pending"  # due, and its turn comes
    SCHEDULED = "scheduled"  # due later, never attempted
    SENDING = "sending"  # on its way to a provider right now
    WAITING = "waiting"  # policy lets it wait: quiet hours, a cap, a digest, a pause
    RETRYING = "retrying"  # refused for now; tried again later
    UNKNOWN = "unknown"  # handed off, and nobody said what became of it
    CANCELLING = "cancelling"  # cancelled while on its way; its end is being found out
    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


def _delivery_in(*states: DeliveryState) -> ColumnElement[bool]:
    return exists().where(Delivery.notification_id == Notification.id, Delivery.state.in_([str(s) for s in states]))


def _attempted() -> ColumnElement[bool]:
    return exists().where(Delivery.notification_id == Notification.id, Delivery.attempt > 0)


def _due_later() -> ColumnElement[bool]:
    return Notification.due_at > func.now()


def _put_off() -> ColumnElement[bool]:
    """A provider that nobody could reach: the message waits, though nobody has refused it."""
    return exists().where(
        Delivery.notification_id == Notification.id,
        Delivery.state == str(DeliveryState.PENDING),
        Delivery.not_before > func.now(),
    )


# What waits because policy says so.
KEPT = (
    Delivery.notification_id == Notification.id,
    Delivery.state == str(DeliveryState.PENDING),
    Delivery.reason.in_([str(reason) for reason in Wait]),
    Delivery.not_before > func.now(),
)


OPEN: tuple[tuple[Status, ColumnElement[bool]], ...] = (
    (Status.CANCELLING, Notification.cancel_requested.is_(True)),
    (Status.UNKNOWN, _delivery_in(DeliveryState.UNKNOWN, DeliveryState.HELD)),
    (Status.SENDING, _delivery_in(DeliveryState.HANDING_OFF, DeliveryState.CLAIMED)),
    (Status.RETRYING, _delivery_in(DeliveryState.DEFERRED)),
    (Status.WAITING, exists().where(*KEPT)),
    (Status.RETRYING, _due_later() & _attempted()),
    (Status.SCHEDULED, _due_later()),
    (Status.RETRYING, _put_off()),
)

FINAL = frozenset(Status(state) for state in NotificationState if state is not NotificationState.OPEN)

status_of_notification: ColumnElement[str] = case(
    (Notification.state != str(NotificationState.OPEN), Notification.state),
    *((condition, str(status)) for status, condition in OPEN),
    else_=str(Status.PENDING),
)

# Why it ended, or what policy lets it wait for.
reason_of_notification: ColumnElement[str | None] = func.coalesce(
    Notification.reason, select(func.min(Delivery.reason)).where(*KEPT).correlate(Notification).scalar_subquery()
)


def stands_at(status: Status) -> ColumnElement[bool]:
    """Condition for the notifications a tenant reads this word for."""
    if status in FINAL:
        return Notification.state == str(status)
    return (Notification.state == str(NotificationState.OPEN)) & (status_of_notification == str(status))
