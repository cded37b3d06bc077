"""Schedules and their runs as SQLAlchemy sees the tables."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, Computed, DateTime, Integer, Interval, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from postroom.database.tables import Table

Moment = DateTime(timezone=True)


class ScheduleState(StrEnum):
    """Whether anything comes of it."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"  # nothing comes any more
    DELETED = "deleted"  # gone for its tenant; the engine is still to be told


class Overlap(StrEnum):
    """What becomes of a firing while the run before it is still at work."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    ALLOW_ALL = "allow_all"


class RunState(StrEnum):
    """What became of a firing."""

    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    SKIPPED = "skipped"


class Cause(StrEnum):
    """Why a run began."""

    SCHEDULE = "schedule"
    TRIGGER = "trigger"


class Schedule(Table):
    """One message to an audience, again and again."""

    __tablename__ = "schedules"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    api_key_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(Text)
    notice: Mapped[dict[str, Any]] = mapped_column(JSONB)
    audience: Mapped[dict[str, Any]] = mapped_column(JSONB)
    user_ids: Mapped[list[str] | None] = mapped_column(ARRAY(Text), deferred=True)
    users: Mapped[int | None] = mapped_column(Integer, Computed("cardinality(user_ids)"))
    recurrence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    time_zone: Mapped[str] = mapped_column(Text)
    jitter: Mapped[timedelta] = mapped_column(Interval)
    start_at: Mapped[datetime | None] = mapped_column(Moment)
    end_at: Mapped[datetime | None] = mapped_column(Moment)
    overlap: Mapped[str] = mapped_column(Text)
    catch_up: Mapped[timedelta] = mapped_column(Interval)
    state: Mapped[str] = mapped_column(Text, default=ScheduleState.ACTIVE)
    resumed_at: Mapped[datetime | None] = mapped_column(Moment)
    version: Mapped[int] = mapped_column(Integer)
    owed: Mapped[bool] = mapped_column(Boolean)
    refused: Mapped[bool] = mapped_column(Boolean)
    pokes: Mapped[int] = mapped_column(Integer)
    next_poke_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)


class ScheduleRun(Table):
    """One firing of a schedule, and how far it has come."""

    __tablename__ = "schedule_runs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    schedule_id: Mapped[UUID]
    tenant_id: Mapped[UUID]
    fire_at: Mapped[datetime] = mapped_column(Moment)
    cause: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    notice: Mapped[dict[str, Any] | None] = mapped_column(JSONB, deferred=True)
    audience: Mapped[dict[str, Any] | None] = mapped_column(JSONB, deferred=True)
    user_ids: Mapped[list[str] | None] = mapped_column(ARRAY(Text), deferred=True)
    reached: Mapped[str] = mapped_column(Text, deferred=True)
    job_id: Mapped[UUID | None]
    total: Mapped[int] = mapped_column(Integer)
    inserted: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
