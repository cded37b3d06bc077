"""Campaigns, tasks and what was done with them, as the database keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from postroom.contracts.vocabulary import TaskState


class CampaignState(StrEnum):
    """Whether anything new can be sent in a campaign."""

    ACTIVE = "active"
    ARCHIVED = "archived"


class TaskReason(StrEnum):
    """Why a task is where it is, when its state alone does not say."""

    REQUESTED = "requested"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    AUDIENCE_CHANGED = "audience_changed"


@dataclass(frozen=True, slots=True)
class Campaign:
    """What holds tasks together; `tasks` counts them by state."""

    id: UUID
    name: str
    description: str | None
    state: CampaignState
    api_key_id: UUID
    created_at: datetime
    updated_at: datetime
    tasks: Mapping[str, int]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Read a row."""
        return cls(**{**row, "state": CampaignState(row["state"])})


@dataclass(frozen=True, slots=True)
class Task:
    """One bulk send: its terms, what its launch made of them, and how far it has come."""

    id: UUID
    tenant_id: UUID
    campaign_id: UUID
    name: str
    channel: str
    message_class: str
    notification_type: str | None
    rule: Mapping[str, Any]
    content: Mapping[str, Any]
    sender: Mapping[str, Any]
    plan: Mapping[str, Any]
    pace: Mapping[str, Any]
    tracking: Mapping[str, Any]
    time_to_live: timedelta
    version: int
    state: TaskState
    reason: str | None
    created_by: UUID
    editors: Sequence[UUID]
    submitted_by: UUID | None
    submitted_at: datetime | None
    counted: int | None
    content_hash: bytes | None
    approved_by: UUID | None
    approved_at: datetime | None
    approved_hash: bytes | None
    approved_audience: int | None
    cancel_requested: bool
    pinned: Sequence[Mapping[str, Any]] | None
    start_at: datetime | None
    epoch: int
    audience: int | None
    frozen_to: str | None
    frozen_at: datetime | None
    held_until: datetime | None
    held_reason: str | None
    launched_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    totals: Mapping[str, int] | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Read a row."""
        return cls(**{**row, "state": TaskState(row["state"])})

    @property
    def is_approved(self) -> bool:
        """Whether somebody let exactly these terms go, and nothing has happened since that takes it back."""
        seen = self.approved_by is not None and self.approved_hash == self.content_hash
        return seen and self.reason != TaskReason.AUDIENCE_CHANGED

    @property
    def absence(self) -> str:
        """Why somebody is not in its audience: `audience_not_frozen` as long as nobody is."""
        return "audience_not_frozen" if self.frozen_at is None else "not_in_audience"

    @property
    def is_touched(self) -> bool:
        """Whether some of its audience may be frozen already."""
        return self.frozen_to is not None or self.frozen_at is not None

    def is_written_by(self, key_id: UUID) -> bool:
        """Tell whether this key wrote any of the terms, or asked for their approval."""
        return key_id in {self.created_by, self.submitted_by, *self.editors}


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """One step in the life of a task: who (an API key, or the house itself) did what, and when."""

    id: int
    at: datetime
    kind: str
    reason: str | None
    api_key_id: UUID | None
    detail: Mapping[str, Any]
