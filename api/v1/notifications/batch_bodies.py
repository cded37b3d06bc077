"""What a caller writes to send one message to many people."""

from pydantic import ConfigDict, Field

from api.v1.body import Body
from api.v1.fields import Metadata, UserId, Variables
from api.v1.notifications.bodies import Message
from postroom.errors import Invalid
from postroom.jobs.batch import Recipient

RECIPIENTS = 1_000


class RecipientBody(Body):
    """One person, with metadata and variables for them alone."""

    user_id: UserId
    metadata: Metadata = Field(default_factory=dict, examples=[{"email": "ada@example.com"}])
    variables: Variables = Field(
        default_factory=dict,
        description="What stands for {{ name }} and {{ order.number }} in title and content. Once one recipient has "
        "variables, even none, placeholders are read for all of them. With a template, what stands for its variables; "
        "it goes before the batch's own.",
        examples=[{"name": "Ada", "order": {"number": "A-1001"}}],
    )


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
                    "recipients": [
                        {
                            "user_id": "user_123",
                            "metadata": {"email": "ada@example.com"},
                            "variables": {"name": "Ada", "order": {"number": "A-1001"}},
                        }
                    ],
                    "channel": "email",
                    "title": "Your order {{ order.number }}",
                    "content": "Hello {{ name }}, it is on its way.",
                },
            ]
        },
    )

    user_ids: list[UserId] | None = Field(default=None, min_length=1, max_length=RECIPIENTS)
    recipients: list[RecipientBody] | None = Field(default=None, min_length=1, max_length=RECIPIENTS)

    def people(self) -> tuple[str, list[Recipient]]:
        """Return the recipients, and where in the body they stand.

        Raises:
            Invalid: they are named in both ways, or in none.
        """
        if (self.user_ids is None) == (self.recipients is None):
            raise Invalid.at("/user_ids", "recipients_required", "Give either user_ids or recipients.")
        if self.user_ids is not None:
            return "/user_ids", [Recipient(user_id) for user_id in self.user_ids]
        return "/recipients", [
            Recipient(one.user_id, one.metadata, one.variables if "variables" in one.model_fields_set else None)
            for one in self.recipients or ()
        ]
