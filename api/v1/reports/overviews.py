"""The route that compares campaigns by how they fared."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.examples import CAMPAIGN_EXAMPLE, TIME_EXAMPLE
from api.v1.numbered import after_id, shown
from api.v1.parameters import WindowQuery
from api.v1.refusals import refusals
from api.v1.reports.standing_views import COUNTS_EXAMPLE, FeedbackCountsView, RatesView, TouchesView
from postroom.campaigns.models import CampaignState
from postroom.identity import CAMPAIGN, public_id
from postroom.reports.overview import Overview
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/reports", tags=["reports"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.CAMPAIGNS_READ))]


class CampaignOverviewView(BaseModel):
    """How a campaign fared: all its tasks together."""

    campaign_id: str = Field(examples=[CAMPAIGN_EXAMPLE])
    name: str = Field(examples=["Summer"])
    state: CampaignState = Field(examples=["active"])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    audience: int = Field(examples=[1_000_000], description="Recipients of all tasks.")
    counts: dict[str, int] = Field(examples=[COUNTS_EXAMPLE])
    feedback: FeedbackCountsView
    opens: TouchesView
    clicks: TouchesView
    rates: RatesView
    as_of: datetime | None = Field(
        examples=[TIME_EXAMPLE], description="Of which moment feedback, opens and clicks are; null: not read yet."
    )

    @classmethod
    def of(cls, one: Overview) -> Self:
        """Describe how a campaign fared."""
        standing = one.standing
        return cls(
            campaign_id=public_id(CAMPAIGN, one.campaign.id),
            name=one.campaign.name,
            state=one.campaign.state,
            created_at=one.campaign.created_at,
            audience=sum(one.counts.values()),
            counts=dict(one.counts),
            feedback=FeedbackCountsView.of(standing.feedback),
            opens=TouchesView.of(standing.opens),
            clicks=TouchesView.of(standing.clicks),
            rates=RatesView.of(one.counts, standing.feedback, standing.opens, standing.clicks),
            as_of=standing.as_of,
        )


class CampaignOverviewsView(BaseModel):
    """Some campaigns, newest first, and the cursor for the next ones."""

    items: list[CampaignOverviewView]
    next_cursor: str | None = Field(examples=[None])


@router.get("/campaigns", responses=refusals(), summary="Compare campaigns")
async def compare_campaigns(
    caller: Reader,
    window: WindowQuery,
    state: Annotated[CampaignState, Query(examples=["archived"])] = CampaignState.ACTIVE,
) -> CampaignOverviewsView:
    """How campaigns fared, newest first. Counts are live; what came back is read every few seconds while a task sends.

    The older a task is, the more seldom it is read again; its own report always is live.
    """
    question = f"compared campaigns {state}"
    asked = after_id(caller, question, window)
    found = await caller.services.campaign_overviews.page(caller.identity.tenant_id, state, asked)
    items, cursor = shown(caller, question, (found, window.limit), lambda one: one.campaign.id)
    return CampaignOverviewsView(items=[CampaignOverviewView.of(one) for one in items], next_cursor=cursor)
