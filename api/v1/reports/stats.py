"""The route of statistics."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.examples import TIME_EXAMPLE
from api.v1.fields import Instant, TimeZone
from api.v1.refusals import refusals
from postroom.contracts.vocabulary import Priority
from postroom.statistics.question import Bucket, Counted, Grouping, Question
from postroom.statistics.repository import Line
from postroom.tenants.keys import Scope

router = APIRouter(tags=["statistics"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.NOTIFICATIONS_READ))]
DAY = timedelta(days=1)


class LatencyView(BaseModel):
    """Seconds from the time it was wanted, its schedule or its acceptance here, until a provider had accepted it."""

    p50: float | None = Field(examples=[0.21])
    p95: float | None = Field(examples=[0.74])


class LineView(BaseModel):
    """One count."""

    at: datetime = Field(description="The beginning of the bucket.", examples=["2026-11-20T10:00:00Z"])
    group: dict[str, str | None] = Field(examples=[{"channel": "email", "state": "sent"}])
    count: int = Field(examples=[1200])
    latency: LatencyView

    @classmethod
    def of(cls, line: Line) -> "LineView":
        """Describe one count."""
        group = {str(name): _spelled(name, value) for name, value in line.group.items()}
        return cls(at=line.at, group=group, count=line.count, latency=LatencyView(p50=line.median, p95=line.late))


class StatsView(BaseModel):
    """Counts of what was created from `from` until before `to`; they sum to `total`."""

    model_config = ConfigDict(populate_by_name=True)

    start: datetime = Field(alias="from", examples=[TIME_EXAMPLE])
    end: datetime = Field(alias="to", examples=[TIME_EXAMPLE])
    bucket: Bucket = Field(examples=["hour"])
    counted: Counted = Field(alias="count", examples=["notifications"])
    total: int = Field(examples=[1200])
    items: list[LineView]


def question(  # noqa: PLR0913 - one parameter per choice is what makes them documented one by one
    *,
    start: Annotated[
        Instant | None, Query(alias="from", description="By default a day before `to`.", examples=[TIME_EXAMPLE])
    ] = None,
    end: Annotated[Instant | None, Query(alias="to", description="By default now.", examples=[TIME_EXAMPLE])] = None,
    bucket: Annotated[
        Bucket, Query(description="`minute` reaches over a day, `hour` over 31, `day` over 366.")
    ] = Bucket.HOUR,
    time_zone: Annotated[TimeZone, Query(description="Where hours and days begin.")] = "UTC",
    group_by: Annotated[
        list[Grouping],
        Query(description="Repeat it to group by several; `provider` needs `count=deliveries`.", examples=[["state"]]),
    ] = [],  # noqa: B006 - FastAPI copies it
    counted: Annotated[Counted, Query(alias="count")] = Counted.NOTIFICATIONS,
) -> Question:
    """Read what is asked."""
    until = end or datetime.now(UTC)
    try:
        since = start or until - DAY
    except OverflowError:
        since = until
    return Question(counted, since, until, bucket, time_zone, tuple(group_by))


@router.get("/stats", responses=refusals(), summary="Count notifications")
async def read_statistics(caller: Reader, asked: Annotated[Question, Depends(question)]) -> StatsView:
    """How many notifications or deliveries were created, by time and group, and how long acceptance took."""
    lines = await caller.services.statistics.answer(caller.identity.tenant_id, asked)
    return StatsView(
        start=asked.start,
        end=asked.end,
        bucket=asked.bucket,
        counted=asked.counted,
        total=sum(line.count for line in lines),
        items=[LineView.of(line) for line in lines],
    )


def _spelled(name: Grouping, value: Any) -> str | None:  # noqa: ANN401 - a column's value
    return Priority(value).label if name is Grouping.PRIORITY else value
