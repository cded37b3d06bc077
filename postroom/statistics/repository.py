"""The query behind the statistics, inside a tenant's session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, Select, Subquery, case, cast, extract, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.contracts.vocabulary import DeliveryState, NotificationState
from postroom.notifications.models import LISTED, Delivery, Notification
from postroom.statistics.question import Counted, Grouping, Question

# Ids begin with the time they were made, and the index of lists is by id: no index of its own is needed. An API
# process whose clock is further off than this loses rows at the edges of a range.
CLOCK_SLACK = timedelta(hours=1)
MILLISECOND_SHIFT = 80  # RFC 9562: 48 bits of milliseconds, then 80 of version, variant and chance

MEDIAN, LATE = 0.5, 0.95

SHARED = {Grouping.TYPE: Notification.notification_type, Grouping.PRIORITY: Notification.priority}
NOTIFICATIONS: Mapping[Grouping, Any] = {
    **SHARED,
    Grouping.CHANNEL: Notification.channel,
    Grouping.STATE: Notification.state,
    Grouping.REASON: Notification.reason,
}
DELIVERIES: Mapping[Grouping, Any] = {
    **SHARED,
    Grouping.CHANNEL: Delivery.channel,
    Grouping.PROVIDER: Delivery.provider,
    Grouping.STATE: Delivery.state,
    Grouping.REASON: Delivery.reason,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One count: of which bucket and group, and how many seconds acceptance by a provider took."""

    at: datetime
    group: Mapping[Grouping, Any]
    count: int
    median: float | None
    late: float | None


async def lines_of(session: AsyncSession, question: Question, limit: int) -> Sequence[Line]:
    """Return the counts in the order of time; the largest of a bucket come first."""
    counted = _counted(question)
    keys = [counted.c.at, *(counted.c[grouping] for grouping in question.groupings)]
    count = func.count().label("count")
    statement = (
        select(
            *keys,
            count,
            func.percentile_cont(MEDIAN).within_group(counted.c.seconds),
            func.percentile_cont(LATE).within_group(counted.c.seconds),
        )
        .group_by(*keys)
        .order_by(counted.c.at, count.desc(), *keys[1:])
        .limit(limit)
    )
    return [_line(tuple(row), question) for row in await session.execute(statement)]


def _line(row: tuple[Any, ...], question: Question) -> Line:
    at, *names, count, median, late = row
    return Line(at, dict(zip(question.groupings, names, strict=True)), count, median, late)


def _counted(question: Question) -> Subquery:
    """One row for everything that is counted, with its bucket, its groups, and its seconds if it was accepted."""
    of_deliveries = question.counted is Counted.DELIVERIES
    columns = DELIVERIES if of_deliveries else NOTIFICATIONS
    ended_at = Delivery.ended_at if of_deliveries else Notification.ended_at
    accepted = (
        Delivery.state == str(DeliveryState.ACCEPTED)
        if of_deliveries
        else Notification.state == str(NotificationState.SENT)
    )
    wanted_at = func.coalesce(Notification.scheduled_at, Notification.created_at)
    waited = func.greatest(ended_at - wanted_at, cast(literal("0"), Interval))
    statement: Select[Any] = select(
        func.date_trunc(str(question.bucket), Notification.created_at, question.time_zone).label("at"),
        *(columns[grouping].label(str(grouping)) for grouping in question.groupings),
        case((accepted, extract("epoch", waited))).label("seconds"),
    ).where(*_within(question))
    if of_deliveries:
        statement = statement.join(Delivery, Delivery.notification_id == Notification.id)
    return statement.subquery()


def _within(question: Question) -> list[ColumnElement[bool]]:
    return [
        Notification.origin.in_(LISTED),
        Notification.id >= first_id(question.start, -CLOCK_SLACK),
        Notification.id < first_id(question.end, CLOCK_SLACK),
        Notification.created_at >= question.start,
        Notification.created_at < question.end,
    ]


def first_id(moment: datetime, offset: timedelta) -> UUID:
    """Return the smallest id that can be made at a moment, or so much later."""
    seconds = moment.timestamp() + offset.total_seconds()
    return UUID(int=max(0, int(seconds * 1_000)) << MILLISECOND_SHIFT)
