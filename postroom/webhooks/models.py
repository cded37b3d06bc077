"""Webhook endpoints and messages as SQLAlchemy sees the tables."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Integer, Interval, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from postroom.database.tables import Table

Moment = DateTime(timezone=True)


class EventType(StrEnum):
    """What an endpoint can subscribe to."""

    SENT = "notification.sent"
    FAILED = "notification.failed"
    SKIPPED = "notification.skipped"
    EXPIRED = "notification.expired"
    CANCELLED = "notification.cancelled"
    TASK_PAUSED = "task.paused"
    TASK_WARNING = "task.guard_rail_warning"
    TASK_COMPLETED = "task.completed"
    TASK_FAILED = "task.failed"
    TASK_CANCELLED = "task.cancelled"
    ENDPOINT_DISABLED = "webhook_endpoint.disabled"
    SERVICE_FROZEN = "sender_service.frozen"
    SERVICE_THAWED = "sender_service.thawed"


# Sent without being subscribed to.
TEST_EVENT = "webhook_endpoint.test"
MESSAGE = "notification.message"


class EndpointState(StrEnum):
    """Whether anything is sent there."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class WebhookEndpoint(Table):
    """Where a tenant wants to be called."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    rate_per_minute: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    secret_key_id: Mapped[str] = mapped_column(Text)
    old_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    old_secret_key_id: Mapped[str | None] = mapped_column(Text)
    old_secret_until: Mapped[datetime | None] = mapped_column(Moment)
    failing_since: Mapped[datetime | None] = mapped_column(Moment)
    event_life: Mapped[timedelta] = mapped_column(Interval)
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)


class WebhookMessage(Table):
    """What an event, a test or a replay tells one endpoint."""

    __tablename__ = "webhook_messages"

    notification_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    endpoint_id: Mapped[UUID]
    message_id: Mapped[UUID | None]
    type: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[datetime] = mapped_column(Moment)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    replay_id: Mapped[UUID | None]
