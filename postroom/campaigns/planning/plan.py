"""When a task begins, and how fast it goes: what a caller may ask for, and which instants that means."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from postroom.contacts.person import is_time_zone
from postroom.errors import Invalid
from postroom.notifications.schedule import FARTHEST, PAST_TOLERANCE

# Where a day begins first and last: Pacific/Kiritimati, and the ships' zone at the date line.
FARTHEST_EAST = timedelta(hours=14)
FARTHEST_WEST = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Plan:
    """An instant for all, or a wall-clock time in each one's zone, or neither: now."""

    at: datetime | None = None
    local_time: datetime | None = None
    fallback_zone: str | None = None

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Read what the database keeps."""
        at, local = stored.get("at"), stored.get("local_time")
        return cls(
            datetime.fromisoformat(at) if at else None,
            datetime.fromisoformat(local) if local else None,
            stored.get("fallback_zone"),
        )

    @property
    def stored(self) -> dict[str, Any]:
        """Spell it for the database; what was not asked for is not there."""
        spelled = {
            "at": self.at and self.at.isoformat().replace("+00:00", "Z"),
            "local_time": self.local_time and self.local_time.isoformat(timespec="seconds"),
            "fallback_zone": self.fallback_zone,
        }
        return {name: value for name, value in spelled.items() if value is not None}

    def earliest(self, now: datetime) -> datetime:
        """Return the first instant at which anything may leave."""
        if self.local_time is not None:
            return max(self.local_time.replace(tzinfo=UTC) - FARTHEST_EAST, now)
        return max(self.at or now, now)

    def latest(self, now: datetime) -> datetime:
        """Return the instant at which the last zone has its time."""
        if self.local_time is not None:
            return max(self.local_time.replace(tzinfo=UTC) + FARTHEST_WEST, now)
        return self.earliest(now)

    def check(self, now: datetime) -> None:
        """Refuse what contradicts itself, has passed, or is too far away.

        Raises:
            Invalid: with a pointer to the field.
        """
        self._check_shape()
        pointer = "/plan/local_time" if self.local_time is not None else "/plan/at"
        wanted = self.at if self.local_time is None else self.local_time.replace(tzinfo=UTC) + FARTHEST_WEST
        if wanted is None:
            return
        if wanted < now - PAST_TOLERANCE:
            raise Invalid.at(pointer, "plan_in_past", "This time has passed everywhere.")
        if wanted > now + FARTHEST:
            raise Invalid.at(pointer, "plan_too_far", f"At most {FARTHEST.days} days ahead.")

    def _check_shape(self) -> None:
        if self.at is not None and self.local_time is not None:
            raise Invalid.at("/plan/local_time", "plan_conflict", "Give a time, or a local time, not both.")
        if self.fallback_zone is None:
            return
        if self.local_time is None:
            raise Invalid.at("/plan/fallback_zone", "plan_conflict", "A zone to fall back on goes with a local time.")
        if not is_time_zone(self.fallback_zone):
            detail = "Write a zone of the IANA database, such as Europe/Paris."
            raise Invalid.at("/plan/fallback_zone", "unknown_time_zone", detail)


@dataclass(frozen=True, slots=True)
class Pace:
    """So many a minute, or evenly until an instant, or neither: as fast as allowed."""

    per_minute: int | None = None
    finish_by: datetime | None = None

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Read what the database keeps."""
        end = stored.get("finish_by")
        return cls(stored.get("per_minute"), datetime.fromisoformat(end) if end else None)

    @property
    def stored(self) -> dict[str, Any]:
        """Spell it for the database; what was not asked for is not there."""
        if self.finish_by is not None:
            return {"finish_by": self.finish_by.isoformat().replace("+00:00", "Z")}
        return {} if self.per_minute is None else {"per_minute": self.per_minute}

    def check(self, plan: Plan, now: datetime, place: str = "/pace") -> None:
        """Refuse an end that comes before the beginning; `place` is where in the body the pace stands.

        Raises:
            Invalid: with a pointer to the field.
        """
        if self.per_minute is not None and self.finish_by is not None:
            raise Invalid.at(f"{place}/finish_by", "pace_conflict", "Give a number per minute, or an end, not both.")
        if self.finish_by is None:
            return
        if self.finish_by <= plan.latest(now):
            detail = "It must end after it may begin, in the last zone too."
            raise Invalid.at(f"{place}/finish_by", "finish_before_start", detail)
        if self.finish_by > now + FARTHEST:
            raise Invalid.at(f"{place}/finish_by", "finish_too_far", f"At most {FARTHEST.days} days ahead.")


AT_ONCE = Plan()
UNHURRIED = Pace()
