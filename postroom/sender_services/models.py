"""Sender services and who may use them, as SQLAlchemy sees the tables."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Double, Integer, Interval, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from postroom.database.tables import Table

Moment = DateTime(timezone=True)
ALL_FROZEN = "all_services_frozen"  # why a message cannot go, and why its task is paused


class ServiceKind(StrEnum):
    """How a service is spoken to."""

    SMTP = "smtp"
    HTTP_MAIL = "http_mail"


class ServiceStatus(StrEnum):
    """Whether a service takes part."""

    ACTIVE = "active"
    FROZEN = "frozen"


class FrozenBy(StrEnum):
    """Who froze it: only what its own health froze thaws by itself."""

    OPERATOR = "operator"
    HEALTH = "health"


class SenderService(Table):
    """A way out for bulk mail; its secret is sealed."""

    __tablename__ = "sender_services"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    vendor: Mapped[str | None] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    account: Mapped[str | None] = mapped_column(Text)
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    secret_key_id: Mapped[str | None] = mapped_column(Text)
    from_domains: Mapped[list[str]] = mapped_column(ARRAY(Text))
    weight: Mapped[int] = mapped_column(Integer)
    connections: Mapped[int | None] = mapped_column(Integer)
    per_second: Mapped[int | None] = mapped_column(Integer)
    per_minute: Mapped[int | None] = mapped_column(Integer)
    per_hour: Mapped[int | None] = mapped_column(Integer)
    per_day: Mapped[int | None] = mapped_column(Integer)
    time_zone: Mapped[str] = mapped_column(Text)
    warm_up_start: Mapped[int | None] = mapped_column(Integer)
    warm_up_factor: Mapped[float | None] = mapped_column(Double)
    warm_up_since: Mapped[datetime | None] = mapped_column(Moment)
    error_threshold: Mapped[int] = mapped_column(Integer)
    alert_user_ids: Mapped[list[str]] = mapped_column(ARRAY(Text))
    alert_addresses: Mapped[list[str]] = mapped_column(ARRAY(Text))
    status: Mapped[str] = mapped_column(Text)
    frozen_by: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    frozen_at: Mapped[datetime | None] = mapped_column(Moment)
    errors: Mapped[int] = mapped_column(Integer)
    last_error: Mapped[str | None] = mapped_column(Text)
    last_error_at: Mapped[datetime | None] = mapped_column(Moment)
    last_success_at: Mapped[datetime | None] = mapped_column(Moment)
    pause: Mapped[timedelta | None] = mapped_column(Interval)
    probe_at: Mapped[datetime | None] = mapped_column(Moment)
    probe_token: Mapped[UUID | None]
    probe_until: Mapped[datetime | None] = mapped_column(Moment)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)


class ServiceBinding(Table):
    """One key that may use a bound service."""

    __tablename__ = "sender_service_bindings"

    service_id: Mapped[UUID] = mapped_column(primary_key=True)
    api_key_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(Moment)
