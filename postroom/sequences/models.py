"""Sequences, and the people on their way through them, as SQLAlchemy sees the tables."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from postroom.database.tables import Table

Instant = DateTime(timezone=True)


class SequenceState(StrEnum):
    """Whether anybody can be enrolled."""

    ACTIVE = "active"
    DELETED = "deleted"


class EnrolmentState(StrEnum):
    """How far somebody has come."""

    ACTIVE = "active"
    COMPLETED = "completed"
    STOPPED = "stopped"


class StepState(StrEnum):
    """What became of one step for one person."""

    WAITING = "waiting"
    SENT = "sent"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Sequence(Table):
    """Messages that follow one another."""

    __tablename__ = "sequences"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class SequenceVersion(Table):
    """What a sequence says, as it was written once."""

    __tablename__ = "sequence_versions"

    sequence_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    tenant_id: Mapped[UUID]
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    stop_on: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(Instant)


class Enrolled(Table):
    """One person on the way through a sequence."""

    __tablename__ = "enrolments"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    request_id: Mapped[UUID]
    sequence_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(Integer)
    user_id: Mapped[str] = mapped_column(Text)
    anchor_at: Mapped[datetime] = mapped_column(Instant)
    time_zone: Mapped[str] = mapped_column(Text)
    variables: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class EnrolmentStep(Table):
    """One step for one person."""

    __tablename__ = "enrolment_steps"

    enrolment_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    tenant_id: Mapped[UUID]
    due_at: Mapped[datetime] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    notification_id: Mapped[UUID | None]
    done_at: Mapped[datetime | None] = mapped_column(Instant)
