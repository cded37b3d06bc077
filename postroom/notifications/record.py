"""Queries that read notifications and what the ledger wrote about them, inside a tenant's session."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, any_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.attachments.models import NotificationAttachment
from postroom.contracts.vocabulary import ChannelKind, MessageClass, Priority
from postroom.notifications.models import (
    LISTED,
    Carrier,
    Delivery,
    DeliveryAttempt,
    Notification,
    NotificationContent,
    NotificationEvent,
)
from postroom.notifications.status import Status, reason_of_notification, stands_at, status_of_notification

LIST_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Filters:
    """Which notifications a list shows; None shows all."""

    status: Status | None = None
    channel: ChannelKind | None = None
    priority: Priority | None = None
    message_class: MessageClass | None = None
    user_id: str | None = None
    notification_type: str | None = None
    job_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what has to hold, as SQL."""
        asked = ((condition, getattr(self, name)) for name, condition in CONDITIONS.items())
        return [condition(value) for condition, value in asked if value is not None]


CONDITIONS: Mapping[str, Callable[[Any], ColumnElement[bool]]] = {
    "status": stands_at,
    "channel": lambda channel: any_(Notification.channels) == str(channel),
    "priority": lambda priority: Notification.priority == priority,
    "message_class": lambda message_class: Notification.message_class == str(message_class),
    "user_id": lambda user_id: Notification.user_id == user_id,
    "notification_type": lambda word: Notification.notification_type == word,
    "job_id": lambda job_id: Notification.job_id == job_id,
    "created_after": lambda moment: Notification.created_at > moment,
    "created_before": lambda moment: Notification.created_at < moment,
}


@dataclass(frozen=True, slots=True)
class Summary:
    """A notification with its derived status, the reason for it, and its title."""

    notification: Notification
    status: Status
    reason: str | None
    title: str | None


def _summaries() -> Select[Notification, str, str | None, str | None]:
    return select(Notification, status_of_notification, reason_of_notification, NotificationContent.title).join(
        NotificationContent, NotificationContent.notification_id == Notification.id, isouter=True
    )


async def summary_of(session: AsyncSession, notification_id: UUID) -> Summary | None:
    """Return one notification with its status."""
    row = (await session.execute(_summaries().where(Notification.id == notification_id))).one_or_none()
    if row is None:
        return None
    notification, status, reason, title = row
    return Summary(notification, Status(status), reason, title)


async def limit_time(session: AsyncSession) -> None:
    """End the statements of this transaction after some seconds: filters can ask for more than an index gives."""
    await session.execute(text(f"SET LOCAL statement_timeout = '{LIST_SECONDS}s'"))


async def summaries(session: AsyncSession, filters: Filters, window: tuple[UUID | None, int]) -> Sequence[Summary]:
    """Return notifications, newest first; `window` is the id to start behind, and how many."""
    after, count = window
    statement = (
        _summaries()
        .where(Notification.origin.in_(LISTED), *filters.conditions())
        .order_by(Notification.id.desc())
        .limit(count)
    )
    if after is not None:
        statement = statement.where(Notification.id < after)
    rows = await session.execute(statement)
    return [Summary(notification, Status(status), reason, title) for notification, status, reason, title in rows]


async def content_of(session: AsyncSession, notification_id: UUID) -> NotificationContent:
    """Return the words of a notification."""
    statement = select(NotificationContent).where(NotificationContent.notification_id == notification_id)
    return (await session.scalars(statement)).one()


async def attachments_of(session: AsyncSession, notification_id: UUID) -> Sequence[NotificationAttachment]:
    """Return what is attached, without the bytes."""
    statement = (
        select(NotificationAttachment)
        .where(NotificationAttachment.notification_id == notification_id)
        .order_by(NotificationAttachment.position)
    )
    return (await session.scalars(statement)).all()


async def deliveries_of(session: AsyncSession, notification_id: UUID) -> Sequence[Delivery]:
    """Return the deliveries in the order of their channels."""
    statement = select(Delivery).where(Delivery.notification_id == notification_id).order_by(Delivery.position)
    return (await session.scalars(statement)).all()


async def attempts_of(session: AsyncSession, notification_id: UUID) -> Sequence[tuple[Delivery, DeliveryAttempt]]:
    """Return everything the attempts did and heard, with the delivery they belong to."""
    statement = (
        select(Delivery, DeliveryAttempt)
        .join(DeliveryAttempt, DeliveryAttempt.delivery_id == Delivery.id)
        .where(Delivery.notification_id == notification_id)
        .order_by(DeliveryAttempt.id)
    )
    return [(delivery, attempt) for delivery, attempt in await session.execute(statement)]


async def events_of(session: AsyncSession, notification_id: UUID) -> Sequence[NotificationEvent]:
    """Return decisions and control actions."""
    statement = (
        select(NotificationEvent)
        .where(NotificationEvent.notification_id == notification_id)
        .order_by(NotificationEvent.id)
    )
    return (await session.scalars(statement)).all()


async def carrier_of(session: AsyncSession, carrier_id: UUID) -> Carrier | None:
    """Return the workflow that carries a notification now."""
    return (await session.scalars(select(Carrier).where(Carrier.id == carrier_id))).one_or_none()
