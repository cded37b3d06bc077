"""When a notification is due: survives daylight saving, and refuses what makes no sense."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from postroom.errors import Invalid
from postroom.policy.zones import find_zone

PAST_TOLERANCE = timedelta(seconds=60)  # clocks differ, and requests travel
FARTHEST = timedelta(days=366)
LONGEST_LIFE = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Schedule:
    """An instant, a delay after acceptance, or neither: now."""

    at: datetime | None = None
    delay: timedelta | None = None

    def due_at(self, accepted_at: datetime) -> datetime:
        """Return when it is due, once it is known when it was accepted."""
        if self.at is not None:
            return self.at
        return accepted_at + (self.delay or timedelta())

    def is_later_than(self, moment: datetime) -> bool:
        """Tell whether it waits for a time, seen from the moment of acceptance."""
        return self.due_at(moment) > moment

    def check(self, now: datetime, expires_at: datetime | None) -> None:
        """Refuse a due time in the past or too far away, and an end before the beginning."""
        due_at = self.due_at(now)
        pointer = "/scheduled_at" if self.delay is None else "/delay"
        if due_at < now - PAST_TOLERANCE:
            raise Invalid.at(pointer, "scheduled_in_past", "This time has passed.")
        if due_at > now + FARTHEST:
            raise Invalid.at(pointer, "scheduled_too_far", f"At most {FARTHEST.days} days ahead.")
        if expires_at is None:
            return
        if expires_at <= max(due_at, now):
            raise Invalid.at("/expires_at", "expires_before_due", "It would expire before it is due.")
        if expires_at > due_at + LONGEST_LIFE:
            raise Invalid.at("/expires_at", "expires_too_late", f"At most {LONGEST_LIFE.days} days after it is due.")


def instant_in_zone(local: datetime, zone: str) -> datetime:
    """Turn a wall-clock time into an instant: a repeated hour means its first pass, a gap its end."""
    there = find_zone(zone).info
    first = local.replace(tzinfo=there, fold=0)
    instant = first.astimezone(UTC)
    if instant.astimezone(there).replace(tzinfo=None) == local:
        return instant
    return _end_of_gap(local.replace(tzinfo=there, fold=1).astimezone(UTC), instant, there)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which the clocks jumped; it lies behind `before` and not behind `after`."""
    new_offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == new_offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)
