"""What is answered about how a task fared."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from api.v1.examples import TASK_EXAMPLE, TIME_EXAMPLE
from api.v1.reports.standing_views import FeedbackCountsView, RatesView, TaskSummaryView, TouchesView
from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES, DeliveryState
from postroom.identity import TASK, public_id
from postroom.reports.counting import Dimension
from postroom.reports.engagement import Link
from postroom.reports.report import Cell, Report, moment_of
from postroom.reports.summary import Summary
from postroom.statistics.question import Bucket
from postroom.tracking.meaning import CLICK, OPEN

MOST_DOMAINS = 50


class ReasonView(BaseModel):
    """So many in this state for this reason."""

    state: DeliveryState = Field(examples=["skipped"])
    reason: str | None = Field(examples=["no_consent"])
    count: int = Field(examples=[12_300])


class GroupView(BaseModel):
    """Recipients told apart by one thing, by state; `opened` and `clicked` are people."""

    recipients: int = Field(examples=[500_000])
    counts: dict[str, int] = Field(examples=[{"accepted": 490_700, "rejected": 3_100, "skipped": 6_200}])
    opened: int = Field(examples=[125_850])
    clicked: int = Field(examples=[20_100])

    @staticmethod
    def shown(cell: Cell) -> dict[str, Any]:
        """Return what is shown of any group; states in which nobody is are left out."""
        counts = {state: count for state, count in cell.counts.items() if count}
        return {
            "recipients": cell.recipients, "counts": counts, "opened": cell.opens.human, "clicked": cell.clicks.human,
        }  # fmt: skip


class NamedGroupView(GroupView):
    """A group and its name; null is for those of whom it is not known, or not yet."""

    name: str | None = Field(examples=["gmail.com"])


class VariantReportView(GroupView):
    """One of the contents of a task, and the variant of its template."""

    label: str = Field(examples=["A"])
    template_variant: str | None = Field(examples=[None])


class RecipientDomainsView(BaseModel):
    """The domains with most recipients, and all the others together."""

    items: list[NamedGroupView]
    others: int = Field(examples=[61_022], description="Recipients at all other domains.")


class LinkView(BaseModel):
    """One link, and who followed it; null are all links that stand in one mail alone."""

    position: int | None = Field(examples=[1])
    url: str | None = Field(examples=["https://shop.example.com/sale"])
    clicks: TouchesView

    @classmethod
    def of(cls, one: Link) -> Self:
        """Describe a link."""
        return cls(position=one.position, url=one.url, clicks=TouchesView.of(one.touches))


class MomentView(BaseModel):
    """What ended in one bucket of time, and how many people first opened and clicked in it."""

    at: datetime = Field(examples=[TIME_EXAMPLE])
    ended: dict[str, int] = Field(examples=[{"accepted": 96_400, "rejected": 580}])
    opened: int = Field(examples=[4_100])
    clicked: int = Field(examples=[712])


class TaskTimelineView(BaseModel):
    """A task over time, in UTC; buckets in which nothing happened are left out."""

    bucket: Bucket = Field(examples=["hour"])
    items: list[MomentView]


class UnknownView(BaseModel):
    """Those of whom nobody knows whether they got it, and where they are listed."""

    count: int = Field(examples=[1])
    recipients: str = Field(examples=[f"/api/v1/tasks/{TASK_EXAMPLE}/recipients?state=unknown"])


class TaskReportView(TaskSummaryView):
    """What became of a task: every breakdown of its recipients sums to the audience."""

    channel: str = Field(examples=["email"])
    as_of: datetime = Field(examples=[TIME_EXAMPLE])
    started_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    ended_at: datetime | None = Field(examples=[None])
    first_sent_at: datetime | None = Field(examples=[TIME_EXAMPLE], description="To the minute.")
    last_sent_at: datetime | None = Field(examples=[TIME_EXAMPLE], description="To the minute.")
    per_minute: float | None = Field(examples=[84_210.5], description="How many ended a minute, lately.")
    estimated_end_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    reasons: list[ReasonView]
    unknown: UnknownView
    feedback_as_of: datetime = Field(
        examples=[TIME_EXAMPLE], description="When what follows was read; with very many touches, some seconds ago."
    )
    feedback: FeedbackCountsView
    opens: TouchesView
    clicks: TouchesView
    rates: RatesView
    links: list[LinkView]
    variants: list[VariantReportView]
    languages: list[NamedGroupView]
    domains: RecipientDomainsView
    senders: list[NamedGroupView]
    timeline: TaskTimelineView

    @classmethod
    def reported(cls, report: Report, bucket: Bucket) -> Self:
        """Describe a report."""
        task = report.task
        final = sum(report.counts[state] for state in FINAL_DELIVERY_STATES)
        return cls(
            **cls.shown(Summary(task, report.audience, report.counts)) | {"final": final},
            channel=task.channel,
            as_of=task.as_of,
            started_at=task.started_at,
            ended_at=task.ended_at,
            first_sent_at=report.sent(min),
            last_sent_at=report.sent(max),
            per_minute=report.per_minute,
            estimated_end_at=report.estimated_end(),
            reasons=[
                ReasonView(state=DeliveryState(state), reason=reason, count=count)
                for state, reason, count in report.reasons
            ],
            unknown=_unknown(task.id, report.counts),
            timeline=TaskTimelineView(bucket=bucket, items=_timeline(report, bucket)),
            **_came_back(report),
            **_groups(report),
        )


def _came_back(report: Report) -> dict[str, Any]:
    afterwards = report.afterwards
    opens, clicks = afterwards.opens, afterwards.clicks
    return {
        "feedback_as_of": afterwards.as_of,
        "feedback": FeedbackCountsView.of(afterwards.feedback),
        "opens": TouchesView.of(opens),
        "clicks": TouchesView.of(clicks),
        "rates": RatesView.of(report.counts, afterwards.feedback, opens, clicks),
        "links": [LinkView.of(one) for one in afterwards.links],
    }


def _groups(report: Report) -> dict[str, Any]:
    domains = report.cells[Dimension.DOMAIN]
    others = sum(cell.recipients for cell in domains[MOST_DOMAINS:])
    return {
        "variants": _variants(report),
        "languages": _named(report.cells[Dimension.LANGUAGE]),
        "domains": RecipientDomainsView(items=_named(domains[:MOST_DOMAINS]), others=others),
        "senders": _named(report.cells[Dimension.SENDER]),
    }


def _unknown(task_id: UUID, counts: Mapping[str, int]) -> UnknownView:
    path = f"/api/v1/tasks/{public_id(TASK, task_id)}/recipients?state={DeliveryState.UNKNOWN}"
    return UnknownView(count=counts[DeliveryState.UNKNOWN], recipients=path)


def _variants(report: Report) -> list[VariantReportView]:
    return [
        VariantReportView(
            label=report.task.label(int(cell.key[0] or 0)),
            template_variant=cell.key[-1] if len(cell.key) > 1 else None,
            **GroupView.shown(cell),
        )
        for cell in report.cells[Dimension.VARIANT]
    ]


def _named(cells: Sequence[Cell]) -> list[NamedGroupView]:
    return [NamedGroupView(name=cell.key[0], **GroupView.shown(cell)) for cell in cells]


def _timeline(report: Report, bucket: Bucket) -> list[MomentView]:
    ended: dict[datetime, Counter[str]] = {}
    for minute, counts in report.ended.items():
        ended.setdefault(_beginning(moment_of(minute), bucket), Counter()).update(counts)
    touched = Counter[tuple[str, datetime]]()
    for moment in report.afterwards.moments:
        if moment.at is not None:
            touched[moment.kind, moment.at.astimezone(UTC)] += moment.touches.human
    times = sorted(ended.keys() | {at for _, at in touched})
    return [
        MomentView(at=at, ended=ended.get(at, {}), opened=touched[OPEN, at], clicked=touched[CLICK, at]) for at in times
    ]


def _beginning(at: datetime, bucket: Bucket) -> datetime:
    if bucket is Bucket.MINUTE:
        return at
    hour = at - timedelta(minutes=at.minute)
    return hour if bucket is Bucket.HOUR else hour - timedelta(hours=hour.hour)
