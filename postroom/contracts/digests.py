"""What crosses the engine between a closing's workflow and its activities. Ids, counts and times; never a person."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DigestErrand:
    """The input of the workflow that closes digests; `heartbeat` and `patience` bound one go at closing."""

    tenant_id: UUID
    closing_id: UUID
    heartbeat: timedelta
    patience: timedelta


@dataclass(frozen=True, slots=True)
class Closing:
    """The input of a look, and of a go at closing."""

    tenant_id: UUID
    closing_id: UUID


@dataclass(frozen=True, slots=True)
class DigestPlan:
    """What the rows say: nothing left, so many to be closed now, or how long to wait and for what.

    `wait` counts from the look. `counts` are digests by state.
    """

    closed: bool
    due: int = 0
    wait: timedelta | None = None
    story: str = ""
    counts: dict[str, int] = field(default_factory=dict)
