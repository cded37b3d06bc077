"""What a tenant asks for when it makes a schedule, and the rules that span several of its fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from postroom.errors import Invalid
from postroom.schedules.models import Overlap
from postroom.schedules.notice import Notice
from postroom.schedules.recurrence import Recurrence

AUDIENCE = 10_000  # user_ids that are named one by one
FARTHEST_YEAR = 2100
JITTER = timedelta(hours=24)
CATCH_UP = timedelta(minutes=1), timedelta(days=7)  # a worker that starts anew is no reason to miss a time
CATCH_UP_DEFAULT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told: people by name, or the contacts with these attributes and this language; neither means all."""

    user_ids: Sequence[str] | None = None
    attributes: Mapping[str, Any] | None = None
    language: str | None = None

    def stored(self) -> dict[str, Any]:
        """Spell the filter for the database; names stand in a column of their own."""
        return {"attributes": dict(self.attributes or {}), "language": self.language}


@dataclass(frozen=True, slots=True)
class Timetable:
    """When: `recurrence` as the database keeps it, between `start_at` and `end_at`, both included."""

    recurrence: Mapping[str, Any]
    time_zone: str
    start_at: datetime | None = None
    end_at: datetime | None = None

    def runs(self, after: datetime, count: int) -> Sequence[datetime]:
        """Return the next instants after one, at most `count`."""
        begins = max(after, self.start_at - timedelta(microseconds=1)) if self.start_at else after
        found = Recurrence.read(self.recurrence).runs(self.time_zone, begins, count)
        return [instant for instant in found if self.end_at is None or instant <= self.end_at]


@dataclass(frozen=True, slots=True)
class Terms:
    """A schedule as asked for; every field has been checked by itself."""

    name: str
    notice: Notice
    audience: Audience
    timetable: Timetable
    jitter: timedelta = timedelta()
    overlap: Overlap = Overlap.SKIP
    catch_up: timedelta = CATCH_UP_DEFAULT

    def check(self, now: datetime) -> None:
        """Refuse what could not be carried or would never come.

        Raises:
            Invalid: with a pointer to the field.
        """
        self._check_times()
        if not self.timetable.runs(now, 1):
            place = next(iter(self.timetable.recurrence))
            raise Invalid.at(f"/{place}", "never_runs", "There is no such time from now on.")
        self.notice.check("/message", now)

    def _check_times(self) -> None:
        times = self.timetable
        for field, moment in (("start_at", times.start_at), ("end_at", times.end_at)):
            if moment is not None and moment.year >= FARTHEST_YEAR:
                raise Invalid.at(f"/{field}", "out_of_range", f"Before the year {FARTHEST_YEAR}.")
        if times.start_at and times.end_at and times.end_at <= times.start_at:
            raise Invalid.at("/end_at", "ends_before_start", "It would end before it begins.")
        least, most = CATCH_UP
        if not least <= self.catch_up <= most:
            raise Invalid.at("/catch_up", "out_of_range", "Between a minute and 7 days.")
        if self.jitter > JITTER:
            raise Invalid.at("/jitter", "out_of_range", "At most 24 hours.")
