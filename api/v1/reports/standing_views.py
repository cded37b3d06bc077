"""What is answered about how a task stands, and what came back of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from api.v1.examples import CAMPAIGN_EXAMPLE, TASK_EXAMPLE
from postroom.contracts.vocabulary import DeliveryState, TaskState
from postroom.identity import CAMPAIGN, TASK, public_id
from postroom.reports.engagement import Feedback, Touches
from postroom.reports.summary import Summary

COUNTS_EXAMPLE = {
    "pending": 0, "claimed": 0, "handing_off": 0, "deferred": 12, "unknown": 1, "held": 0, "accepted": 981_402,
    "rejected": 6_214, "skipped": 12_300, "failed": 71, "expired": 0, "cancelled": 0,
}  # fmt: skip


class TouchesView(BaseModel):
    """Recipients, each counted once, and how often it happened in all; what machines did is told apart."""

    unique: int = Field(examples=[402_113], description="Recipients with any, of machines as well.")
    unique_human: int = Field(examples=[251_700], description="Recipients with one that no machine made.")
    total: int = Field(examples=[611_002])
    total_human: int = Field(examples=[390_450])

    @classmethod
    def of(cls, one: Touches) -> Self:
        """Describe opens or clicks."""
        return cls(unique=one.everybody, unique_human=one.human, total=one.times, total_human=one.human_times)


class FeedbackCountsView(BaseModel):
    """Recipients by what became known after acceptance. These are no states: an accepted message stays accepted."""

    delivered: int = Field(examples=[903_400])
    delayed: int = Field(examples=[1_204])
    bounced_permanently: int = Field(examples=[3_310])
    bounced_temporarily: int = Field(examples=[402])
    complained: int = Field(examples=[240])
    unsubscribed: int = Field(examples=[1_904])

    @classmethod
    def of(cls, one: Feedback) -> Self:
        """Describe what became known."""
        return cls(
            delivered=one.delivered,
            delayed=one.delayed,
            bounced_permanently=one.bounced_permanently,
            bounced_temporarily=one.bounced_temporarily,
            complained=one.complained,
            unsubscribed=one.unsubscribed,
        )


class RatesView(BaseModel):
    """Shares, from 0 to 1; null where nothing can be divided by."""

    accepted: float | None = Field(examples=[0.981], description="Of the audience.")
    bounced: float | None = Field(examples=[0.0034], description="For good, of what was accepted.")
    complained: float | None = Field(examples=[0.0002], description="Of what was accepted.")
    opened: float | None = Field(examples=[0.2565], description="By people, of what was accepted.")
    clicked: float | None = Field(examples=[0.0431], description="By people, of what was accepted.")

    @classmethod
    def of(cls, counts: Mapping[str, int], feedback: Feedback, opens: Touches, clicks: Touches) -> Self:
        """Work out the shares."""
        accepted = counts[DeliveryState.ACCEPTED]
        return cls(
            accepted=_share(accepted, sum(counts.values())),
            bounced=_share(feedback.bounced_permanently, accepted),
            complained=_share(feedback.complained, accepted),
            opened=_share(opens.human, accepted),
            clicked=_share(clicks.human, accepted),
        )


class TaskSummaryView(BaseModel):
    """How a task stands."""

    task_id: str = Field(examples=[TASK_EXAMPLE])
    campaign_id: str = Field(examples=[CAMPAIGN_EXAMPLE])
    name: str = Field(examples=["Summer sale"])
    state: TaskState = Field(examples=["sending"])
    reason: str | None = Field(examples=[None])
    held_until: datetime | None = Field(examples=[None])
    held_reason: str | None = Field(examples=[None])
    audience: int | None = Field(examples=[1_000_000], description="Null until it is frozen.")
    final: int = Field(examples=[999_987], description="How many are accounted for.")
    counts: dict[str, int] = Field(
        examples=[COUNTS_EXAMPLE], description="Recipients by state. They sum to the audience."
    )

    @staticmethod
    def shown(summary: Summary) -> dict[str, Any]:
        """Return what is shown of how a task stands."""
        task = summary.task
        return {
            "task_id": public_id(TASK, task.id), "campaign_id": public_id(CAMPAIGN, task.campaign_id),
            "name": task.name, "state": task.state, "reason": task.reason, "held_until": task.held_until,
            "held_reason": task.held_reason, "audience": summary.audience, "final": summary.final,
            "counts": summary.counts,
        }  # fmt: skip

    @classmethod
    def of(cls, summary: Summary) -> Self:
        """Describe how a task stands."""
        return cls(**cls.shown(summary))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
