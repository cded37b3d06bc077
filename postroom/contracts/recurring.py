"""What crosses the engine about schedules and sequences. Ids, counts and times; never a user_id."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Firing:
    """One firing of a schedule: a new one, known by its time, or `run_id`, one that has its row already."""

    tenant_id: UUID
    schedule_id: UUID
    run_id: UUID | None = None
    fire_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunStanding:
    """How a run stands; `state` is "gone" once its schedule was deleted."""

    state: str
    inserted: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The input of the workflow that takes one person through a sequence."""

    tenant_id: UUID
    enrolment_id: UUID


@dataclass(frozen=True, slots=True)
class Moment:
    """The input of an advance: whose, and what time it is for the workflow."""

    tenant_id: UUID
    enrolment_id: UUID
    now: datetime


@dataclass(frozen=True, slots=True)
class NextStep:
    """What comes next: nothing any more, or to wait so long, and for what in words. `counts` are steps by state."""

    closed: bool
    wait: timedelta = timedelta()
    story: str = ""
    counts: dict[str, int] = field(default_factory=dict)
