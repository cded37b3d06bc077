"""What a caller asks about an audience, and what is answered."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.v1.body import Body
from api.v1.examples import TIME_EXAMPLE
from api.v1.fields import Word
from api.v1.webhooks.bodies import Description
from postroom.audiences.saved import SavedAudience
from postroom.audiences.service import Count, Member, Question
from postroom.contracts.vocabulary import ChannelKind, MessageClass

RULE: dict[str, Any] = {
    "all": [
        {"tags": {"any": ["newsletter", "vip"]}},
        {"attribute": {"name": "plan", "op": "equals", "value": "pro"}},
        {"not": {"activity": {"did": "received", "within_days": 7}}},
    ]
}
RuleBody = Annotated[
    dict[str, Any],
    Field(description="One condition: all, any, not, a saved audience, or one about a person.", examples=[RULE]),
]


class BulkChannel(StrEnum):
    """The channels over which many are sent to."""

    EMAIL = "email"
    IN_APP = "in_app"


class BulkClass(StrEnum):
    """The classes of messages that are sent to many."""

    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"


class AudienceBody(Body):
    """A rule, and the message that might be sent to those it finds."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"rule": RULE, "channel": "email", "class": "marketing"}]},
    )

    rule: RuleBody
    channel: BulkChannel = BulkChannel.EMAIL
    message_class: BulkClass | None = Field(
        default=None, alias="class", description="By default that of the type, or marketing."
    )
    notification_type: Word | None = None

    def question(self) -> Question:
        """Put the question together."""
        message_class = MessageClass(self.message_class) if self.message_class else None
        return Question(self.rule, ChannelKind(self.channel), message_class, self.notification_type)


class SavedBody(Body):
    """A rule to keep under a name."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"rule": RULE, "description": "Pro customers we let be"}]}
    )

    rule: RuleBody
    description: Description | None = None


class AudienceView(BaseModel):
    """A saved audience."""

    name: str = Field(examples=["active customers"])
    description: str | None = Field(examples=["Pro customers we let be"])
    rule: dict[str, Any] = Field(examples=[RULE])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    updated_at: datetime = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, audience: SavedAudience) -> Self:
        """Describe an audience."""
        return cls.model_validate(audience, from_attributes=True)


class AudiencesView(BaseModel):
    """A page of saved audiences, by name."""

    items: list[AudienceView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")


class CountView(BaseModel):
    """How many people a rule finds, how many of them the message would reach, and why not the others."""

    matched: int = Field(examples=[12_000])
    reachable: int = Field(examples=[11_700])
    excluded: dict[str, int] = Field(
        examples=[{"no_address": 200, "suppressed": 80, "unsubscribed": 20}],
        description="By the first reason there is: no_address, invalid_recipient, recipient_domain_not_allowed, "
        "suppressed, erased, unsubscribed, no_consent, paused. With `reachable` they make up `matched`.",
    )

    @classmethod
    def of(cls, count: Count) -> Self:
        """Describe a count."""
        return cls(matched=count.matched, reachable=count.reachable, excluded=dict(count.excluded))


class MemberView(BaseModel):
    """Somebody a rule finds."""

    user_id: str = Field(examples=["user_123"])
    reachable: bool = Field(examples=[False])
    reason: str | None = Field(examples=["unsubscribed"], description="Why the message would not reach them.")


class SampleView(BaseModel):
    """Some of the people a rule finds."""

    items: list[MemberView]

    @classmethod
    def of(cls, members: Sequence[Member]) -> Self:
        """Describe them."""
        return cls(
            items=[MemberView(user_id=one.user_id, reachable=one.reason is None, reason=one.reason) for one in members]
        )
