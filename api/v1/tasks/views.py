"""What a caller reads about a task: its terms, its review, how far it has come."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from pydantic import BaseModel, Field

from api.dependencies import Caller
from api.v1.examples import CAMPAIGN_EXAMPLE, HASH_EXAMPLE, KEY_EXAMPLE, TASK_EXAMPLE, TEMPLATE_EXAMPLE, TIME_EXAMPLE
from api.v1.tasks.bodies import RULE_EXAMPLE
from postroom.campaigns.models import Task, TaskReason
from postroom.campaigns.steering.telling import Standing
from postroom.contracts.vocabulary import TaskState
from postroom.identity import API_KEY, CAMPAIGN, TASK, TEMPLATE, public_id, task_workflow_id
from postroom.settings import Settings


class PinnedView(BaseModel):
    """A version that speaks in a task since it was submitted or launched."""

    template_id: str = Field(examples=[TEMPLATE_EXAMPLE])
    version: int = Field(examples=[3])
    label: str = Field(examples=["default"])
    weight: int = Field(examples=[1])


class ApprovalView(BaseModel):
    """Where the review of a task stands, and what an approval of it is bound to."""

    status: str = Field(examples=["waiting"], description="`none`, `waiting` or `approved`.")
    content_hash: str | None = Field(examples=[HASH_EXAMPLE])
    audience: int | None = Field(examples=[120000], description="As counted when it was submitted.")
    submitted_by: str | None = Field(examples=[KEY_EXAMPLE])
    submitted_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    approved_by: str | None = Field(examples=[None])
    approved_at: datetime | None = Field(examples=[None])
    approved_audience: int | None = Field(examples=[None])

    @classmethod
    def of(cls, task: Task) -> "ApprovalView":
        """Describe a review."""
        waiting = "waiting" if task.state is TaskState.IN_REVIEW else "none"
        return cls(
            status="approved" if task.is_approved else waiting,
            content_hash=task.content_hash.hex() if task.content_hash else None,
            audience=task.counted,
            submitted_by=_key(task.submitted_by),
            submitted_at=task.submitted_at,
            approved_by=_key(task.approved_by),
            approved_at=task.approved_at,
            approved_audience=task.approved_audience,
        )


class TaskLinks(BaseModel):
    """Where to go on reading."""

    self: str = Field(examples=[f"/api/v1/tasks/{TASK_EXAMPLE}"])
    report: str = Field(examples=[f"/api/v1/tasks/{TASK_EXAMPLE}/report"])
    recipients: str = Field(examples=[f"/api/v1/tasks/{TASK_EXAMPLE}/recipients"])
    events: str = Field(examples=[f"/api/v1/tasks/{TASK_EXAMPLE}/events"])
    campaign: str = Field(examples=[f"/api/v1/campaigns/{CAMPAIGN_EXAMPLE}"])
    workflow: str | None = Field(examples=["http://127.0.0.1:8233/namespaces/default/workflows/campaign%2Fdemo%2F..."])


class TaskView(BaseModel):
    """A task as a whole."""

    id: str = Field(examples=[TASK_EXAMPLE])
    campaign_id: str = Field(examples=[CAMPAIGN_EXAMPLE])
    name: str = Field(examples=["Spring sale, first mail"])
    state: TaskState = Field(examples=["sending"])
    reason: str | None = Field(examples=[None], description="Why it is where it is: `requested`, `cancelling` ...")
    held_until: datetime | None = Field(examples=[None], description="It sends, but nothing may leave before this.")
    held_reason: str | None = Field(examples=[None])
    version: int = Field(examples=[1], description="Rises with every change of the terms.")
    channel: str = Field(examples=["email"])
    message_class: str = Field(alias="class", examples=["marketing"])
    notification_type: str | None = Field(examples=[None])
    rule: Mapping[str, Any] = Field(examples=[RULE_EXAMPLE])
    content: Mapping[str, Any] = Field(examples=[{"template": "spring-sale", "variables": {"percent": 20}}])
    pinned: Sequence[PinnedView] | None
    sender: Mapping[str, Any] = Field(examples=[{"from": "The Shop <news@shop.example>"}])
    plan: Mapping[str, Any] = Field(examples=[{"local_time": "2026-12-01T09:00:00"}])
    pace: Mapping[str, Any] = Field(examples=[{"per_minute": 20000}])
    tracking: Mapping[str, Any] = Field(examples=[{"opens": True, "clicks": True}])
    time_to_live: float = Field(examples=[259200], description="In seconds.")
    approval: ApprovalView
    audience: int | None = Field(examples=[120000], description="The frozen audience: what the counts come to.")
    counts: Mapping[str, int] = Field(
        examples=[{"accepted": 80000, "pending": 39990, "rejected": 10}],
        description="Recipients by state at this moment, exact.",
    )
    workflow_id: str | None = Field(examples=[f"campaign/demo/{TASK_EXAMPLE}"])
    created_by: str = Field(examples=[KEY_EXAMPLE])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    updated_at: datetime = Field(examples=[TIME_EXAMPLE])
    start_at: datetime | None = Field(examples=[TIME_EXAMPLE], description="The first instant anything may leave.")
    launched_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    started_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    ended_at: datetime | None = Field(examples=[None])
    links: TaskLinks

    @classmethod
    def of(cls, standing: Standing, caller: Caller) -> "TaskView":
        """Describe a task to a caller."""
        task = standing.task
        workflow = task_workflow_id(caller.identity.tenant_slug, task.id) if task.launched_at else None
        plain = {
            name: getattr(task, name)
            for name in cls.model_fields
            if name in Task.__dataclass_fields__ and name not in {"id", "campaign_id", "pinned", "message_class"}
        }
        plain |= {"created_by": _key(task.created_by), "time_to_live": task.time_to_live.total_seconds()}
        return cls(
            **plain,
            **{"class": task.message_class},
            id=public_id(TASK, task.id),
            campaign_id=public_id(CAMPAIGN, task.campaign_id),
            pinned=_pinned(task),
            approval=ApprovalView.of(task),
            counts=standing.counts,
            workflow_id=workflow,
            links=_links(task, workflow, caller.services.settings),
        )


class TasksView(BaseModel):
    """Some tasks, newest first, and the cursor for the next ones."""

    items: list[TaskView]
    next_cursor: str | None = Field(examples=[None])


class SignalView(BaseModel):
    """What became of a signal to a task."""

    task_id: str = Field(examples=[TASK_EXAMPLE])
    state: TaskState = Field(examples=["paused"])
    reason: str | None = Field(examples=["cancelling"])
    outcome: str = Field(
        examples=["cancelling"],
        description="`paused`, `resumed`, `paced`, `cancelled`, or `cancelling`: nothing leaves any more, and open "
        "hand-offs are waited for.",
    )

    @classmethod
    def of(cls, task: Task, outcome: str) -> "SignalView":
        """Describe what a task has come to; a cancelled one says whether it is yet."""
        waits = task.reason == TaskReason.CANCELLING
        return cls(
            task_id=public_id(TASK, task.id),
            state=task.state,
            reason=task.reason,
            outcome=TaskReason.CANCELLING if waits else outcome,
        )


class SignalsView(BaseModel):
    """What became of a signal to the tasks of a campaign that run, the oldest first."""

    items: list[SignalView]
    status: str = Field(examples=["done"], description="`cancelling` while one of them is, else `done`.")

    @classmethod
    def of(cls, tasks: Sequence[Task], outcome: str) -> "SignalsView":
        """Describe them all."""
        told = [SignalView.of(task, outcome) for task in tasks]
        waits = any(one.outcome == TaskReason.CANCELLING for one in told)
        return cls(items=told, status=TaskReason.CANCELLING if waits else "done")


def _pinned(task: Task) -> list[PinnedView] | None:
    if task.pinned is None:
        return None
    return [PinnedView(**{**one, "template_id": public_id(TEMPLATE, UUID(one["template_id"]))}) for one in task.pinned]


def _links(task: Task, workflow: str | None, settings: Settings) -> TaskLinks:
    here, url = f"/api/v1/tasks/{public_id(TASK, task.id)}", None
    if workflow and settings.temporal_ui_url:
        place = f"/namespaces/{quote(settings.temporal_namespace)}/workflows/{quote(workflow, safe='')}"
        url = settings.temporal_ui_url.rstrip("/") + place
    campaign = f"/api/v1/campaigns/{public_id(CAMPAIGN, task.campaign_id)}"
    return TaskLinks(
        self=here,
        report=f"{here}/report",
        recipients=f"{here}/recipients",
        events=f"{here}/events",
        campaign=campaign,
        workflow=url,
    )


def _key(key_id: UUID | None) -> str | None:
    return public_id(API_KEY, key_id) if key_id else None
