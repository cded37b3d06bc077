"""What crosses the engine between a carrier's workflow and its activities. Ids, counts and times; never an address."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Self
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind, Priority


@dataclass(frozen=True, slots=True)
class Errand:
    """The input of a carrier's workflow.

    `first` is the channel whose rows were due when the carrier was made; None when they wait, so that the workflow
    looks before it does anything. `heartbeat` and `patience` bound one send pass.
    """

    tenant_id: UUID
    carrier_id: UUID
    priority: Priority
    heartbeat: timedelta
    patience: timedelta
    first: ChannelKind | None = None

    def later(self) -> Self:
        """The same errand for a continued run, which looks first."""
        return replace(self, first=None)


@dataclass(frozen=True, slots=True)
class SendPass:
    """The input of one send pass: what is due in this carrier over this channel."""

    tenant_id: UUID
    carrier_id: UUID
    priority: Priority
    channel: ChannelKind


@dataclass(frozen=True, slots=True)
class LookAt:
    """The input of a look."""

    tenant_id: UUID
    carrier_id: UUID


@dataclass(frozen=True, slots=True)
class Due:
    """How many members need a pass over one channel now."""

    channel: ChannelKind
    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What the rows say: nothing left, something due, or how long to wait and why.

    `wait` counts from the look; None when nothing is awaited. `story` says in words what the wait is for. `counts` are
    members by state.
    """

    closed: bool
    due: tuple[Due, ...] = ()
    wait: timedelta | None = None
    story: str = ""
    counts: dict[str, int] = field(default_factory=dict)
