"""What a caller writes about a campaign."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from api.v1.body import Body
from api.v1.fields import plain, seen, storable
from postroom.campaigns.service import Title

NAME_LENGTH = 120
DESCRIPTION_LENGTH = 2_000

CampaignName = Annotated[
    str, StringConstraints(min_length=1, max_length=NAME_LENGTH), AfterValidator(plain), AfterValidator(seen)
]
Description = Annotated[str, StringConstraints(max_length=DESCRIPTION_LENGTH), AfterValidator(storable)]


class CampaignBody(Body):
    """A campaign: a name for tasks that belong together."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "Spring sale", "description": "Three mails in March."}]},
    )

    name: CampaignName
    description: Description | None = Field(default=None, description="For people; nothing reads it.")

    def title(self) -> Title:
        """Put it together."""
        return Title(self.name, self.description)
