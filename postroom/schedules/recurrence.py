"""When a schedule is due: five cron fields, and the instants they mean in a zone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any, Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from postroom.errors import Invalid
from postroom.notifications.schedule import instant_in_zone
from postroom.policy.zones import find_zone

CRON_LENGTH = 100
FIELDS = 5
SUNDAY_TOO = 7  # cron's second number for it
# The last day of a month and the nth weekday have no equal among the engine's calendars; `?` and seconds are not cron.
_FOREIGN = frozenset("L#W?@")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
HORIZON = timedelta(days=366 * 41)  # a 29 February on a given weekday comes again within 40 years, 2100 left aside
_DAY = timedelta(days=1)
_LONGER_THAN_A_MONTH = timedelta(days=31)

Numbers = frozenset[int]


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Minutes, hours, days, months and weekdays (0 is Sunday).

    `both_days`: a day must be of the days and of the weekdays; else one of them is enough (cron(5)). `is_timed`: it
    names minutes and hours, so it comes once in a night whose clocks change, as Debian's cron does it; otherwise it
    goes by what the clock on the wall shows, however often it does.
    """

    minutes: Numbers
    hours: Numbers
    days: Numbers
    months: Numbers
    weekdays: Numbers
    both_days: bool = True
    is_timed: bool = True

    @classmethod
    def of_cron(cls, text: str) -> Self:
        """Read five cron fields.

        Raises:
            Invalid: they are none (`invalid_cron`), or use what the engine cannot do (`unsupported_cron`).
        """
        fields = text.upper().split()
        if len(text) > CRON_LENGTH or len(fields) != FIELDS or not text.isascii():
            raise Invalid("A cron expression has five fields: minute hour day month weekday.", code="invalid_cron")
        months = fields[3].replace("JUL", "")
        if any(_FOREIGN & set(field) for field in (*fields[:3], months, fields[4].replace("WED", ""))):
            raise Invalid("L, W, #, ? and @ are not supported; name the days.", code="unsupported_cron")
        try:
            parsed = CronSim(" ".join(fields), datetime(2000, 1, 1, tzinfo=UTC))
        except (CronSimError, AssertionError, ValueError) as error:
            raise Invalid(f"This is no cron expression: {error}.", code="invalid_cron") from None
        weekdays = {day for day in parsed.weekdays if isinstance(day, int)}
        return cls(
            minutes=frozenset(parsed.minutes),
            hours=frozenset(parsed.hours),
            days=frozenset(parsed.days),
            months=frozenset(parsed.months),
            weekdays=frozenset(day % SUNDAY_TOO for day in weekdays),
            both_days=parsed.day_and,
            is_timed=not fields[0].startswith("*") and not fields[1].startswith("*"),
        )

    @classmethod
    def of_calendar(cls, fields: Mapping[str, Any]) -> Self:
        """Read a calendar: one time of day, on the days, weekdays and months it names; all of them must agree."""
        return cls(
            minutes=frozenset([fields["minute"]]),
            hours=frozenset([fields["hour"]]),
            days=frozenset(fields.get("days_of_month") or range(1, 32)),
            months=frozenset(fields.get("months") or range(1, 13)),
            weekdays=frozenset(map(_DAYS.index, fields.get("days_of_week") or _DAYS)),
        )

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Read what the database keeps: `cron`, or `calendar`."""
        return cls.of_cron(stored["cron"]) if "cron" in stored else cls.of_calendar(stored["calendar"])

    def fits(self, day: date) -> bool:
        """Whether it comes on this day at all."""
        if day.month not in self.months:
            return False
        by_number, by_name = day.day in self.days, day.isoweekday() % SUNDAY_TOO in self.weekdays
        return (by_number and by_name) if self.both_days else (by_number or by_name)

    def runs(self, zone: str, after: datetime, count: int) -> Sequence[datetime]:
        """Return the next instants after one, at most `count`; fewer when there are no more within 40 years."""
        return list(islice(self._after(zone, after), count))

    def _after(self, zone: str, after: datetime) -> Iterator[datetime]:
        first = after.astimezone(find_zone(zone).info).date() - _DAY
        last = after
        for day in self._days(first):
            for instant in self.on(day, zone):
                if instant > last:
                    last = instant
                    yield instant

    def _days(self, first: date) -> Iterator[date]:
        """Name the days that fit; months that do not are stepped over, for some lines fit on one day in 28 years."""
        day, end = first, first + HORIZON
        while day < end:
            if day.month not in self.months:
                day = (day.replace(day=1) + _LONGER_THAN_A_MONTH).replace(day=1)
                continue
            if self.fits(day):
                yield day
            day += _DAY

    def on(self, day: date, zone: str) -> Sequence[datetime]:
        """Return the instants of one day that fits, in order."""
        local = [datetime.combine(day, time(hour, minute)) for hour in self.hours for minute in self.minutes]
        if self.is_timed:
            return sorted({instant_in_zone(one, zone) for one in local})
        return sorted({instant for one in local for instant in shown(one, zone)})

    def is_repetition(self, zone: str, instant: datetime) -> bool:
        """Whether an instant is the second pass of an hour that the clocks repeat, and would come a second time."""
        return self.is_timed and instant.astimezone(find_zone(zone).info).fold == 1

    def moved(self, zone: str, since: datetime, days: int) -> Sequence[datetime]:
        """Return the instants of the coming days whose time of day is skipped by the clocks that day."""
        there = find_zone(zone).info
        first = since.astimezone(there).date()
        changing = (day for day in (first + number * _DAY for number in range(days)) if _changes(day, there))
        return [
            instant
            for day in changing
            if self.is_timed and self.fits(day)
            for instant in self.on(day, zone)
            if not self._is_named(instant.astimezone(there))
        ]

    def _is_named(self, local: datetime) -> bool:
        return local.hour in self.hours and local.minute in self.minutes and local.second == 0


def shown(local: datetime, zone: str) -> set[datetime]:
    """Return the instants at which the clock on the wall shows this: none, one or two."""
    there = find_zone(zone).info
    passes = {local.replace(tzinfo=there, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return {instant for instant in passes if instant.astimezone(there).replace(tzinfo=None, fold=0) == local}


def _changes(day: date, zone: ZoneInfo) -> bool:
    begins, ends = (datetime.combine(one, time(), tzinfo=zone) for one in (day, day + _DAY))
    return begins.utcoffset() != ends.utcoffset()
