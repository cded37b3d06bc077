"""What a caller reads about what comes again and again."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

from api.v1.examples import JOB_EXAMPLE, TIME_EXAMPLE
from api.v1.jobs.views import CountsView
from api.v1.notifications.bodies import PriorityWord
from api.v1.schedules.notices import NOTICE_EXAMPLE
from postroom.contracts.vocabulary import ChannelKind, MessageClass, Priority, Strategy
from postroom.identity import JOB, SCHEDULE, SCHEDULE_RUN, public_id
from postroom.policy.zones import find_zone
from postroom.schedules.models import Cause, Overlap, RunState, Schedule, ScheduleState
from postroom.schedules.notice import Notice
from postroom.schedules.service import RunView as Run
from postroom.schedules.service import Standing

SCHEDULE_EXAMPLE = "sched_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"
RUN_EXAMPLE = "run_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0c"


class WordsView(BaseModel):
    """A message as plain text, as HTML, or both."""

    text: str | None = None
    html: str | None = None


class NoticeView(BaseModel):
    """What is said, and how it travels."""

    channels: list[ChannelKind]
    title: str | None = Field(examples=[NOTICE_EXAMPLE["title"]])
    content: WordsView | None
    template: str | None = Field(examples=[None])
    template_set: str | None = Field(examples=[None])
    variables: dict[str, Any]
    language: str | None = Field(examples=[None])
    strategy: Strategy
    priority: PriorityWord
    message_class: MessageClass | None = Field(
        serialization_alias="class", description="Null where none was named: the class of its type when it is sent."
    )
    notification_type: str | None
    metadata: dict[str, Any]
    fallback_after: timedelta | None
    time_to_live: timedelta | None

    @classmethod
    def of(cls, notice: Notice) -> "NoticeView":
        """Describe a notice."""
        request = notice.request()
        return cls(
            channels=list(request.channels),
            title=notice.title,
            content=None if notice.template else WordsView(text=notice.text, html=notice.html),
            template=None if notice.is_set else notice.template,
            template_set=notice.template if notice.is_set else None,
            variables=dict(notice.variables),
            language=notice.language,
            strategy=request.strategy,
            priority=PriorityWord(Priority(notice.priority).label),
            message_class=request.message_class if request.names_class else None,
            notification_type=notice.notification_type,
            metadata=dict(notice.metadata),
            fallback_after=request.fallback_after,
            time_to_live=notice.life_time,
        )


class ScheduleAudienceView(BaseModel):
    """Who is told; the names themselves stand only where one schedule is read."""

    users: int | None = Field(description="How many people are named; null when contacts are chosen.", examples=[None])
    user_ids: list[str] | None = None
    attributes: dict[str, Any] = Field(examples=[{"plan": "pro"}])
    language: str | None = Field(examples=["fr"])


class RunView(BaseModel):
    """One firing; `total` counts whom it is for, `inserted` for whom a notification is written."""

    id: str = Field(examples=[RUN_EXAMPLE])
    fire_at: datetime = Field(examples=[TIME_EXAMPLE])
    cause: Cause = Field(examples=["schedule"])
    state: RunState = Field(examples=["completed"])
    reason: str | None = Field(examples=[None])
    total: int = Field(examples=[1200])
    inserted: int = Field(examples=[1200])
    job_id: str | None = Field(examples=[JOB_EXAMPLE])
    counts: CountsView | None = Field(description="The notifications of its job by state.")
    started_at: datetime = Field(examples=[TIME_EXAMPLE])
    ended_at: datetime | None = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, view: Run) -> "RunView":
        """Describe a run."""
        run = view.run
        return cls(
            id=public_id(SCHEDULE_RUN, run.id),
            fire_at=run.fire_at,
            cause=Cause(run.cause),
            state=RunState(run.state),
            reason=run.reason,
            total=run.total,
            inserted=run.inserted,
            job_id=None if run.job_id is None else public_id(JOB, run.job_id),
            counts=view.counts and CountsView(**{str(state): count for state, count in view.counts.items()}),
            started_at=run.started_at,
            ended_at=run.ended_at,
        )


class RunsView(BaseModel):
    """A page of runs, newest first."""

    items: list[RunView]
    next_cursor: str | None


class ScheduleView(BaseModel):
    """A schedule, and when it comes next."""

    id: str = Field(examples=[SCHEDULE_EXAMPLE])
    name: str = Field(examples=["weekly news"])
    state: ScheduleState = Field(examples=["active"])
    message: NoticeView
    audience: ScheduleAudienceView
    cron: str | None = Field(examples=["0 9 * * mon"])
    calendar: dict[str, Any] | None = Field(examples=[None])
    time_zone: str = Field(examples=["Europe/Paris"])
    jitter: timedelta
    start_at: datetime | None
    end_at: datetime | None
    overlap: Overlap
    catch_up: timedelta
    in_line: bool = Field(description="Whether the engine has what is written here; a change takes a second or so.")
    engine_refuses: bool = Field(description="The engine will not have it, because it does not know its zone, say.")
    next_run: datetime | None = Field(examples=[TIME_EXAMPLE])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    updated_at: datetime = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, standing: Standing) -> "ScheduleView":
        """Describe a schedule."""
        return cls(**fields_of(standing))


class WholeScheduleView(ScheduleView):
    """A schedule with the people it names, its next runs in its own zone, and its last ones."""

    next_runs: list[datetime] = Field(examples=[["2026-11-23T09:00:00+01:00"]])
    last_runs: list[RunView]

    @classmethod
    def of(cls, standing: Standing) -> "WholeScheduleView":
        """Describe all of it."""
        fields = fields_of(standing)
        fields["audience"].user_ids = standing.schedule.user_ids
        there = find_zone(standing.schedule.time_zone).info
        return cls(
            **fields,
            next_runs=[instant.astimezone(there) for instant in standing.next_runs],
            last_runs=[RunView.of(run) for run in standing.last_runs],
        )


class SchedulesView(BaseModel):
    """A page of schedules, newest first."""

    items: list[ScheduleView]
    next_cursor: str | None


def fields_of(standing: Standing) -> dict[str, Any]:
    """Return what every view of a schedule shows."""
    schedule: Schedule = standing.schedule
    audience, there = schedule.audience, find_zone(schedule.time_zone).info
    plain = ("name", "time_zone", "jitter", "start_at", "end_at", "overlap", "catch_up", "created_at", "updated_at")
    return {name: getattr(schedule, name) for name in plain} | {
        "id": public_id(SCHEDULE, schedule.id),
        "state": standing.state,
        "message": NoticeView.of(Notice.read(schedule.notice)),
        "audience": ScheduleAudienceView(
            users=schedule.users, attributes=audience["attributes"], language=audience["language"]
        ),
        "cron": schedule.recurrence.get("cron"),
        "calendar": schedule.recurrence.get("calendar"),
        "in_line": not schedule.owed,
        "engine_refuses": schedule.refused,
        "next_run": standing.next_runs[0].astimezone(there) if standing.next_runs else None,
    }
