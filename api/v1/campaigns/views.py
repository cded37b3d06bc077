"""What a caller reads about campaigns."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, Field

from api.v1.examples import CAMPAIGN_EXAMPLE, KEY_EXAMPLE, TIME_EXAMPLE
from postroom.campaigns.models import Campaign, CampaignState
from postroom.identity import API_KEY, CAMPAIGN, public_id


class CampaignView(BaseModel):
    """A campaign, with its tasks counted by state."""

    id: str = Field(examples=[CAMPAIGN_EXAMPLE])
    name: str = Field(examples=["Spring sale"])
    description: str | None = Field(examples=["Three mails in March."])
    state: CampaignState = Field(examples=["active"])
    tasks: Mapping[str, int] = Field(examples=[{"sending": 1, "draft": 2}])
    created_by: str = Field(examples=[KEY_EXAMPLE])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    updated_at: datetime = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, campaign: Campaign) -> "CampaignView":
        """Describe a campaign."""
        return cls(
            id=public_id(CAMPAIGN, campaign.id),
            name=campaign.name,
            description=campaign.description,
            state=campaign.state,
            tasks=campaign.tasks,
            created_by=public_id(API_KEY, campaign.api_key_id),
            created_at=campaign.created_at,
            updated_at=campaign.updated_at,
        )


class CampaignsView(BaseModel):
    """Some campaigns, newest first, and the cursor for the next ones."""

    items: list[CampaignView]
    next_cursor: str | None = Field(examples=[None])
