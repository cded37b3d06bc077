"""What a sequence says: its steps, when each is due, and how all of them travel."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Self

from postroom.errors import Invalid
from postroom.jobs.wording import Wording
from postroom.notifications.schedule import instant_in_zone
from postroom.policy.zones import find_zone
from postroom.schedules.notice import Notice, below
from postroom.templates.using import Use

WORDS = 500_000  # bytes of text and HTML in all steps
FARTHEST = timedelta(days=366)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Step:
    """One message, `delay` seconds from the anchor or from the step before; `at` is a time of day, as HH:MM."""

    delay: float
    title: str | None = None
    text: str | None = None
    html: str | None = None
    template: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
    after_previous: bool = False
    at: str | None = None

    @property
    def words(self) -> dict[str, Any]:
        """The fields of a notice that it brings."""
        names = ("title", "text", "html", "template", "variables", "language")
        return {name: getattr(self, name) for name in names}

    def due_after(self, base: datetime, zone: str) -> datetime:
        """Return when it is due; a time of day leads away from the anchor, never nearer than the delay."""
        delay = timedelta(seconds=self.delay)
        target = base + delay
        if self.at is None:
            return target
        day = target.astimezone(find_zone(zone).info).date()
        found = _at(day, self.at, zone)
        if delay >= timedelta() and found < target:
            return _at(day + _DAY, self.at, zone)
        return _at(day - _DAY, self.at, zone) if delay < timedelta() and found > target else found


@dataclass(frozen=True, slots=True)
class Course:
    """All of it, as the database keeps it; `travelling` are the fields of a notice that are no words."""

    travelling: Mapping[str, Any]
    steps: Sequence[Step]

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Read what the database keeps."""
        return cls(stored["travelling"], tuple(Step(**step) for step in stored["steps"]))

    def stored(self) -> dict[str, Any]:
        """Spell it for the database."""
        return asdict(self)

    def notice(self, position: int) -> Notice:
        """Return what the step at `position`, from 1, says."""
        return Notice(**self.travelling, **self.steps[position - 1].words)

    def use(self, position: int, variables: Mapping[str, Any]) -> Use | None:
        """Return the template of a step with somebody's variables, which go before its own."""
        use = self.notice(position).use
        return None if use is None else replace(use, variables={**use.variables, **variables})

    def check(self, now: datetime) -> None:
        """Refuse what no channel could carry to a person.

        Raises:
            Invalid: with a pointer to the field.
        """
        weight = 0
        for place, step in enumerate(self.steps):
            notice = self.notice(place + 1)
            notice.check_words(f"/steps/{place}")
            notice.check("", now)
            if notice.use is None:
                check_placeholders(notice, f"/steps/{place}")
            weight += len((step.text or "").encode()) + len((step.html or "").encode())
        if weight > WORDS:
            raise Invalid.at("/steps", "content_too_large", f"All steps together have at most {WORDS} bytes.")

    def due(self, anchor: datetime, zone: str) -> Iterator[datetime]:
        """Return when each step is due for somebody in this zone."""
        previous = anchor
        for step in self.steps:
            previous = step.due_after(previous if step.after_previous else anchor, zone)
            yield previous


def check_placeholders(notice: Notice, place: str) -> None:
    """Refuse words whose placeholders are malformed; `place` is where in the body they stand.

    Raises:
        Invalid: with a pointer to the field.
    """
    try:
        Wording.read(notice.request())
    except Invalid as error:
        raise below(place, error) from None


def _at(day: date, at: str, zone: str) -> datetime:
    return instant_in_zone(datetime.combine(day, time.fromisoformat(at)), zone)
