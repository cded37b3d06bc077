"""What is answered about how a campaign fared."""

from typing import Self

from pydantic import BaseModel, Field

from api.v1.examples import CAMPAIGN_EXAMPLE
from api.v1.reports.standing_views import COUNTS_EXAMPLE, FeedbackCountsView, RatesView, TaskSummaryView, TouchesView
from postroom.identity import CAMPAIGN, public_id
from postroom.reports.service import CampaignReport


class CampaignReportView(BaseModel):
    """All tasks of a campaign together, and how each stands."""

    campaign_id: str = Field(examples=[CAMPAIGN_EXAMPLE])
    name: str = Field(examples=["Summer"])
    audience: int = Field(examples=[1_000_000], description="Recipients of all tasks whose audience is frozen.")
    counts: dict[str, int] = Field(examples=[COUNTS_EXAMPLE])
    feedback: FeedbackCountsView
    opens: TouchesView
    clicks: TouchesView
    rates: RatesView
    tasks: list[TaskSummaryView]

    @classmethod
    def of(cls, report: CampaignReport) -> Self:
        """Describe a campaign's report."""
        return cls(
            campaign_id=public_id(CAMPAIGN, report.id),
            name=report.name,
            audience=sum(one.audience or 0 for one in report.tasks),
            counts=report.counts,
            feedback=FeedbackCountsView.of(report.feedback),
            opens=TouchesView.of(report.opens),
            clicks=TouchesView.of(report.clicks),
            rates=RatesView.of(report.counts, report.feedback, report.opens, report.clicks),
            tasks=[TaskSummaryView.of(one) for one in report.tasks],
        )
