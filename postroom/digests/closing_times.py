"""When a digest closes: at the full hour, in the morning, on Monday morning, by the clock where the person lives."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
MORNING = time(9)
MONDAY = 0


def closes_at(frequency: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Return the first moment after `now`, in UTC, at which what is gathered `hourly`, `daily` or `weekly` is told.

    A morning whose hour the clock skips begins as long after the gap as it would have begun after its start, one that
    comes twice at its first time (RFC 5545 section 3.3.5). An hour that comes twice ends twice.

    Raises:
        ValueError: nothing is gathered so often.
    """
    match frequency:
        case "hourly":
            return _next_hour(zone, now)
        case "daily":
            return _next_morning(zone, now, frozenset(range(7)))
        case "weekly":
            return _next_morning(zone, now, frozenset({MONDAY}))
    raise ValueError(frequency)


def _next_hour(zone: ZoneInfo, now: datetime) -> datetime:
    """Go to where the hour would end, and on from there where a clock was set by less than an hour meanwhile."""
    at = now.astimezone(UTC)
    while at == now or _past(zone, at):
        at += HOUR - _past(zone, at)
    return at


def _past(zone: ZoneInfo, at: datetime) -> timedelta:
    local = at.astimezone(zone)
    return timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def _next_morning(zone: ZoneInfo, now: datetime, weekdays: frozenset[int]) -> datetime:
    """Try day after day; a clock that was set by a day and more may make the days unequal, never go back."""
    day = now.astimezone(zone).date() - timedelta(days=1)
    while True:
        morning = datetime.combine(day, MORNING, zone).astimezone(UTC)
        if morning > now and day.weekday() in weekdays:
            return morning
        day += timedelta(days=1)
