"""Quiet hours: when a wall clock where a person lives says that they sleep, and the first instant it no longer does."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from math import ceil, floor
from typing import Any, Self

from postroom.policy.zones import Zone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))
DAY = timedelta(days=1)
LOOK_AHEAD = timedelta(days=9)  # windows repeat by the week; one more covers a day that a zone skips


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to `end` by the wall clock; past midnight when `end` is the earlier. `days` are those it starts on.

    A window that starts when it ends has no length.
    """

    start: time
    end: time
    days: frozenset[int] = EVERY_DAY

    @property
    def spelled(self) -> str:
        """The window as people write it."""
        days = "" if self.days == EVERY_DAY else ", ".join(DAYS[day] for day in sorted(self.days)) + " "
        return f"{days}{self.start:%H:%M}-{self.end:%H:%M}"

    def left(self, local: datetime) -> timedelta | None:
        """How long the wall clock has to run until this window ends; None outside of it."""
        clock = local.time()
        if self.start < self.end:
            inside = self.start <= clock < self.end and local.weekday() in self.days
            return _until(clock, self.end) if inside else None
        if self.start == self.end:
            return None
        if clock >= self.start and local.weekday() in self.days:
            return DAY + _until(clock, self.end)
        if clock < self.end and (local.weekday() - 1) % 7 in self.days:
            return _until(clock, self.end)
        return None


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The windows of a week; none at all means never quiet."""

    windows: tuple[Window, ...] = ()

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Read `{"enabled": false}`, `{"start": "22:00", "end": "08:00"}` or `{"windows": [{"days": ["sat"], ...}]}`.

        Nothing at all is the night.
        """
        if not stored.get("enabled", True):
            return cls()
        if "windows" in stored:
            return cls(tuple(_window(one) for one in stored["windows"]))
        return cls((_window(stored),)) if "start" in stored else cls((NIGHT,))

    def left(self, local: datetime) -> timedelta | None:
        """How long the wall clock has to run until the longest window around this moment ends."""
        ends = [left for window in self.windows if (left := window.left(local)) is not None]
        return max(ends) if ends else None

    @property
    def spelled(self) -> str:
        """The windows as people write them: `22:00-08:00`, `sat, sun 20:00-10:00`."""
        return " and ".join(window.spelled for window in self.windows)

    def shown(self) -> dict[str, Any]:
        """Spell them as they are written."""
        if not self.windows:
            return {"enabled": False}
        windows = [
            {"start": f"{one.start:%H:%M}", "end": f"{one.end:%H:%M}"}
            | ({} if one.days == EVERY_DAY else {"days": [DAYS[day] for day in sorted(one.days)]})
            for one in self.windows
        ]
        plain = len(windows) == 1 and "days" not in windows[0]
        return {"enabled": True} | (windows[0] if plain else {"windows": windows})

    def ever_end(self) -> bool:
        """Whether a week has a moment outside of every window."""
        monday = datetime(2024, 1, 1)  # noqa: DTZ001 - a wall clock anywhere
        at = monday
        while at < monday + timedelta(days=7):
            left = self.left(at)
            if left is None:
                return True
            at += left
        return False


NIGHT = Window(time(22), time(8))
DEFAULT = QuietHours((NIGHT,))


@lru_cache(maxsize=4096)  # a page asks with one `now` about the same few zones and windows
def quiet_until(hours: QuietHours, zone: Zone, now: datetime) -> datetime | None:
    """Return the first instant, in UTC, at which it is not quiet by the wall clock; None when it is not quiet now.

    The wall clock alone decides. An end that a clock set forward skips is the first instant after the gap; in an hour
    that comes twice the first end counts, and who asks in its repetition waits for the second. Windows that leave no
    moment of a week are no quiet hours.
    """
    at = now = now.astimezone(UTC)
    last = now + LOOK_AHEAD
    while (left := hours.left(at.astimezone(zone.info).replace(tzinfo=None))) is not None:
        end = at + left
        at = min(end, _next_change(zone, at, end))
        if at > last:
            return None
    return None if at == now else at


def _next_change(zone: Zone, start: datetime, end: datetime) -> datetime:
    """The instant in (start, end] at which the zone's clock is set, a whole second; `end` when it is not."""

    def offset(second: float) -> timedelta | None:
        return datetime.fromtimestamp(second, zone.info).utcoffset()

    before = offset(start.timestamp())
    if offset(end.timestamp()) == before:
        return end
    seconds = range(floor(start.timestamp()) + 1, ceil(end.timestamp()) + 1)
    change = seconds[bisect_left(seconds, True, key=lambda second: offset(second) != before)]
    return datetime.fromtimestamp(change, UTC)


def _until(clock: time, end: time) -> timedelta:
    return _length(end) - _length(clock)


def _length(clock: time) -> timedelta:
    return timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond)


def _window(stored: Mapping[str, Any]) -> Window:
    days: Sequence[str] = stored.get("days") or DAYS
    return Window(
        time.fromisoformat(stored["start"]),
        time.fromisoformat(stored["end"]),
        frozenset(DAYS.index(day) for day in days),
    )
