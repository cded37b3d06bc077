"""How much one provider takes, whose count it is, and what to say when there is no room."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind


class Window(StrEnum):
    """What a limit counts over: calendar windows of the database's clock; a day is one of the provider's zone."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def length(self) -> timedelta:
        """How long it lasts."""
        return LENGTHS[self]


LENGTHS = {
    Window.SECOND: timedelta(seconds=1),
    Window.MINUTE: timedelta(minutes=1),
    Window.HOUR: timedelta(hours=1),
    Window.DAY: timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limits of one provider; None is no limit. A day begins at midnight of `zone`, also when clocks change."""

    per_second: int | None = None
    per_minute: int | None = None
    per_day: int | None = None
    per_hour: int | None = None
    zone: str = "UTC"

    @property
    def caps(self) -> Mapping[Window, int]:
        """The limits there are."""
        return _caps(self)

    def __str__(self) -> str:
        """Spell the limits: `14 a second, 50000 a day`."""
        return ", ".join(f"{cap} a {window}" for window, cap in self.caps.items()) or "none"


@lru_cache(maxsize=1_024)  # they are asked for with every message
def _caps(allowance: Allowance) -> Mapping[Window, int]:
    given = {
        Window.SECOND: allowance.per_second,
        Window.MINUTE: allowance.per_minute,
        Window.HOUR: allowance.per_hour,
        Window.DAY: allowance.per_day,
    }
    return {window: cap for window, cap in given.items() if cap is not None}


@dataclass(frozen=True, slots=True)
class Meter:
    """Whose count it is: a provider of the deployment (no tenant), or one of a tenant's own."""

    channel: ChannelKind
    provider: str
    tenant_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """How somebody asks: lower urgency goes first, and nobody waits for a window beyond `patience` seconds."""

    urgency: int = 0
    patience: float = 0.0


@dataclass(frozen=True, slots=True)
class Full:
    """There is no room before `wait` is over; `window` is the limit that was reached."""

    window: Window
    wait: timedelta
