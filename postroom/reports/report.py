"""A report put together from counted lines: by state, reason, variant, language, domain, sender and time."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES, DeliveryState
from postroom.reports.counting import AUDIENCE, Dimension, Line
from postroom.reports.engagement import Feedback, Group, Link, Moment, Touches, total
from postroom.reports.horizon import end_of
from postroom.reports.summary import named
from postroom.reports.tasks import Task
from postroom.tracking.meaning import CLICK, OPEN

BAD_ADDRESS = "mailbox_unknown"  # what a provider's 5.1.x came to
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Cell:
    """Recipients under one key, by state, and who of them opened and clicked: everybody, and people."""

    key: tuple[str | None, ...]
    counts: Mapping[str, int]
    opens: Touches
    clicks: Touches

    @property
    def recipients(self) -> int:
        """How many they are."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What came back after acceptance, as it was known at a moment."""

    as_of: datetime
    feedback: Feedback
    moments: Sequence[Moment]
    groups: Sequence[Group]
    links: Sequence[Link]

    @property
    def opens(self) -> Touches:
        """Who opened."""
        return total(self.moments, OPEN)

    @property
    def clicks(self) -> Touches:
        """Who clicked."""
        return total(self.moments, CLICK)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a task: every breakdown sums to the audience."""

    task: Task
    audience: int | None
    counts: Mapping[str, int]
    reasons: Sequence[tuple[str, str | None, int]]
    ended: Mapping[int, Mapping[str, int]]
    cells: Mapping[Dimension, Sequence[Cell]]
    afterwards: Afterwards
    per_minute: float | None = None
    latest_wait: datetime | None = None

    @property
    def remaining(self) -> int:
        """How many are not accounted for yet."""
        return sum(count for state, count in self.counts.items() if state not in FINAL_DELIVERY_STATES)

    @property
    def known_bounces(self) -> int:
        """Addresses that were refused at once or sent back for good; the second may not be among the refused."""
        at_once = sum(count for state, reason, count in self.reasons if (state, reason) == ("rejected", BAD_ADDRESS))
        return at_once + self.afterwards.feedback.bounced_permanently

    def sent(self, pick: Callable[[Iterable[int]], int]) -> datetime | None:
        """When the first (`min`) or the last (`max`) was accepted, to the minute, but not before anything was sent."""
        minutes = [minute for minute, counts in self.ended.items() if counts.get(DeliveryState.ACCEPTED)]
        if not minutes:
            return None
        moment = moment_of(pick(minutes))
        return max(moment, self.task.started_at) if self.task.started_at else moment

    def estimated_end(self) -> datetime | None:
        """When all will be accounted for at this pace, but not before the last one may leave."""
        return end_of(self.task.as_of, self.remaining, self.per_minute, self.latest_wait)


def moment_of(minute: int) -> datetime:
    """Return the beginning of a minute since 1970."""
    return datetime.fromtimestamp(minute * 60, UTC)


def report_of(task: Task, lines: Sequence[Line], afterwards: Afterwards, latest_wait: datetime | None) -> Report:
    """Put a report together."""
    outcomes = [line for line in lines if line.dimension == Dimension.OUTCOME]
    counts, reasons = Counter[str](), Counter[tuple[str, str | None]]()
    ended: dict[int, Counter[str]] = defaultdict(Counter)
    for line in outcomes:
        counts[line.state] += line.count
        reasons[line.state, line.key] += line.count
        if line.minute is not None:
            ended[line.minute][line.state] += line.count
    audience = next((line.count for line in lines if line.dimension == AUDIENCE), None)
    return Report(
        task=task,
        audience=audience,
        counts=named(counts),
        reasons=[(state, reason, count) for (state, reason), count in reasons.most_common()],
        ended=ended,
        cells={one: _cells(one, lines, afterwards.groups) for one in Dimension if one is not Dimension.OUTCOME},
        afterwards=afterwards,
        per_minute=pace(ended, task.as_of),
        latest_wait=latest_wait,
    )


def pace(ended: Mapping[int, Mapping[str, int]], now: datetime) -> float | None:
    """How many ended a minute lately: in this minute and the one before; None when there was nothing."""
    this, into = divmod(now.timestamp(), 60)
    lately = sum(sum(ended.get(int(this) - ago, {}).values()) for ago in (0, 1))
    return round(lately / (1 + into / 60), 2) if lately else None


def _cells(dimension: Dimension, lines: Sequence[Line], groups: Sequence[Group]) -> list[Cell]:
    """One cell for each key, the largest first."""
    counts: dict[str | None, Counter[str]] = defaultdict(Counter)
    for line in lines:
        if line.dimension == dimension:
            counts[line.key][line.state] += line.count
    touched: dict[tuple[str | None, str], Touches] = defaultdict(Touches)
    for group in groups:
        if group.dimension == dimension:
            place = (group.key, group.kind)
            touched[place] = touched[place].plus(Touches(group.everybody, group.human))
    cells = [
        Cell(_spelled(dimension, key), found, touched[key, OPEN], touched[key, CLICK]) for key, found in counts.items()
    ]
    return sorted(cells, key=lambda cell: (-cell.recipients, tuple(map(str, cell.key))))


def _spelled(dimension: Dimension, key: str | None) -> tuple[str | None, ...]:
    if dimension is not Dimension.VARIANT or key is None:
        return (key,)
    part, _, variant = key.partition(":")
    return (part, variant or None)
