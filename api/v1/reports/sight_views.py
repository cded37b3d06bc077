"""What a watcher is told of a task."""

from datetime import datetime
from typing import Self

from pydantic import Field

from api.v1.examples import TIME_EXAMPLE
from api.v1.reports.standing_views import FeedbackCountsView, RatesView, TaskSummaryView, TouchesView
from postroom.reports.watching import Sight

SIGHT_EXAMPLE = '{"task_id":"task_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b","state":"sending","audience":1000000}'


class SightView(TaskSummaryView):
    """How a task stands, what came back of it, and how fast it goes."""

    as_of: datetime = Field(examples=[TIME_EXAMPLE])
    per_minute: float | None = Field(examples=[84_210.5])
    estimated_end_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    feedback: FeedbackCountsView
    opens: TouchesView
    clicks: TouchesView
    rates: RatesView

    @classmethod
    def seen(cls, sight: Sight) -> Self:
        """Describe what is seen."""
        summary = sight.summary
        return cls(
            **cls.shown(summary),
            as_of=summary.task.as_of,
            per_minute=sight.per_minute,
            estimated_end_at=sight.estimated_end,
            feedback=FeedbackCountsView.of(sight.feedback),
            opens=TouchesView.of(sight.opens),
            clicks=TouchesView.of(sight.clicks),
            rates=RatesView.of(summary.counts, sight.feedback, sight.opens, sight.clicks),
        )
