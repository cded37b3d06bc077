"""What a caller writes to send one message to many people."""

from typing import Any

from pydantic import ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from api.v1.fields import Metadata, UserId
from api.v1.notification_bodies import Message
from api.v1.schedule_bodies import Body
from postroom.errors import Invalid
from postroom.jobs.batch import Recipient

RECIPIENTS = 1_000


class RecipientBody(Body):
    """One person, and metadata for them alone: an address for this message, or anything of yours."""

    user_id: UserId
    metadata: Metadata = Field(default_factory=dict, examples=[{"email": "ada@example.com"}])


class NewBatch(Message):
    """One message to up to 1,000 people: `user_ids`, or `recipients` with something of their own."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "user_ids": ["user_123", "user_124"],
                    "channels": ["email", "in_app"],
                    "title": "We are closed on Friday",
                    "content": {"text": "See you on Monday."},
                    "notification_type": "opening_hours",
                },
                {
                    "recipients": [{"user_id": "user_123", "metadata": {"email": "ada@example.com"}}],
                    "channel": "email",
                    "title": "We are closed on Friday",
                    "content": "See you on Monday.",
                },
            ]
        },
    )

    user_ids: list[UserId] | None = Field(default=None, min_length=1, max_length=RECIPIENTS)
    recipients: list[RecipientBody] | None = Field(default=None, min_length=1, max_length=RECIPIENTS)

    @field_validator("recipients", mode="before")
    @classmethod
    def _has_no_variables(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the body holds
        """Say why there are none: whoever fills in variables would send the braces to everybody otherwise."""
        if isinstance(value, list) and any(isinstance(one, dict) and "variables" in one for one in value):
            detail = "Variables fill templates, and there are none in this release; nothing was sent."
            raise PydanticCustomError("variables_not_supported", "{detail}", {"detail": detail})
        return value

    def people(self) -> tuple[str, list[Recipient]]:
        """Return the recipients, and where in the body they stand.

        Raises:
            Invalid: they are named in both ways, or in none.
        """
        if (self.user_ids is None) == (self.recipients is None):
            raise Invalid.at("/user_ids", "recipients_required", "Give either user_ids or recipients.")
        if self.user_ids is not None:
            return "/user_ids", [Recipient(user_id) for user_id in self.user_ids]
        return "/recipients", [Recipient(one.user_id, one.metadata) for one in self.recipients or ()]
