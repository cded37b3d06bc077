"""What a caller reads about the story of a task, and of one person in it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from api.v1.examples import KEY_EXAMPLE, TASK_EXAMPLE, TIME_EXAMPLE
from postroom.campaigns.models import TaskEvent
from postroom.campaigns.steering.correcting import Retried, Skipped
from postroom.campaigns.steering.telling import RecipientStory
from postroom.contracts.vocabulary import DeliveryState
from postroom.identity import API_KEY, DELIVERY, TASK, public_id


class TaskEventView(BaseModel):
    """Who did what, when; without a key, the house did it by itself."""

    at: datetime = Field(examples=[TIME_EXAMPLE])
    kind: str = Field(examples=["launched"])
    reason: str | None = Field(examples=[None])
    key_id: str | None = Field(examples=[KEY_EXAMPLE])
    detail: Mapping[str, Any] = Field(examples=[{"start_at": "2026-12-01T09:00:00+00:00"}])

    @classmethod
    def of(cls, event: TaskEvent) -> "TaskEventView":
        """Describe a step."""
        return cls(
            at=event.at,
            kind=event.kind,
            reason=event.reason,
            key_id=public_id(API_KEY, event.api_key_id) if event.api_key_id else None,
            detail=event.detail,
        )


class TaskEventsView(BaseModel):
    """Some steps, newest first, and the cursor for the ones before."""

    items: list[TaskEventView]
    next_cursor: str | None = Field(examples=[None])


class AttemptView(BaseModel):
    """One step of one attempt."""

    attempt: int = Field(examples=[1])
    event: str = Field(examples=["rejected"])
    at: datetime = Field(examples=[TIME_EXAMPLE])
    provider: str | None = Field(examples=["smtp.example.net:587"])
    phase: str | None = Field(examples=["rcpt"])
    code: int | None = Field(examples=[550])
    enhanced: str | None = Field(examples=["5.1.1"])
    detail: str | None = Field(examples=["No such user here"])


class FeedbackView(BaseModel):
    """What became known after the message was accepted."""

    kind: str = Field(examples=["bounced"])
    at: datetime = Field(examples=[TIME_EXAMPLE])
    permanent: bool | None = Field(examples=[True])
    enhanced: str | None = Field(examples=["5.1.1"])
    source: str = Field(examples=["dsn"])
    detail: str | None = Field(examples=[None])


class RecipientStoryView(BaseModel):
    """Why somebody got the message of a task, or did not."""

    task_id: str = Field(examples=[TASK_EXAMPLE])
    user_id: str = Field(examples=["user_123"])
    in_audience: bool = Field(examples=[True])
    state: DeliveryState | None = Field(examples=["skipped"])
    reason: str | None = Field(
        examples=["unsubscribed"],
        description="Of whoever is not in the audience: `audience_not_frozen` or `not_in_audience`.",
    )
    delivery_id: str | None = Field(default=None, examples=["dlv_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"])
    seq: int | None = Field(default=None, examples=[4711], description="The place in the frozen audience.")
    page: int | None = Field(default=None, examples=[5])
    page_next_at: datetime | None = Field(default=None, description="When somebody looks at the page again.")
    variant: str | None = Field(default=None, examples=["A"])
    domain: str | None = Field(default=None, examples=["shop.example"])
    not_before: datetime | None = Field(default=None, examples=[TIME_EXAMPLE])
    expires_at: datetime | None = Field(default=None, examples=[TIME_EXAMPLE])
    ended_at: datetime | None = Field(default=None, examples=[TIME_EXAMPLE])
    attempts: list[AttemptView] = Field(default_factory=list)
    feedback: list[FeedbackView] = Field(default_factory=list)

    @classmethod
    def of(cls, story: RecipientStory, user_id: str) -> "RecipientStoryView":
        """Describe what became of a person."""
        task_id, row = public_id(TASK, story.task.id), story.row
        if row is None:
            reason = story.task.absence
            return cls(task_id=task_id, user_id=user_id, in_audience=False, state=None, reason=reason)
        named = {name: row[name] for name in cls.model_fields if name in row and name != "delivery_id"}
        parts = story.task.pinned or ()
        return cls(
            **named,
            task_id=task_id,
            user_id=user_id,
            in_audience=True,
            delivery_id=public_id(DELIVERY, row["delivery_id"]),
            variant=parts[row["part"]]["label"] if row["part"] < len(parts) else None,
            attempts=[AttemptView(**one) for one in story.attempts],
            feedback=[FeedbackView(**one) for one in story.feedback],
        )


class RetriedView(BaseModel):
    """How many recipients of a task were taken up again; with `more`, ask again for the rest."""

    task_id: str = Field(examples=[TASK_EXAMPLE])
    retried: int = Field(examples=[312])
    more: bool = Field(examples=[False])

    @classmethod
    def of(cls, retried: Retried) -> "RetriedView":
        """Describe a retry."""
        return cls(task_id=public_id(TASK, retried.task_id), retried=retried.retried, more=retried.more)


class RetriedTasksView(BaseModel):
    """The same for the tasks of a campaign."""

    items: list[RetriedView]
    retried: int = Field(examples=[312])


class SkippedView(BaseModel):
    """What became of the wish to leave people out of a task.

    `skipped`; `in_flight` when it is being handed over right now; the final state of whoever has one;
    `not_in_audience`; or `audience_not_frozen` when nobody is yet.
    """

    task_id: str = Field(examples=[TASK_EXAMPLE])
    outcomes: Mapping[str, str] = Field(examples=[{"user_123": "skipped"}])

    @classmethod
    def of(cls, skipped: Skipped) -> "SkippedView":
        """Describe it."""
        return cls(task_id=public_id(TASK, skipped.task_id), outcomes=skipped.outcomes)


class SkippedTasksView(BaseModel):
    """The same for the tasks of a campaign that send."""

    items: list[SkippedView]
