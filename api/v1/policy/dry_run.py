"""What a caller asks about a message nobody sends, and what is answered."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.v1.fields import Metadata, NearInstant, UserId, Word
from api.v1.notifications.bodies import PriorityWord
from api.v1.notifications.ways import Ways
from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.policy.explaining import Explanation, Finding
from postroom.policy.trying import Outlook, Question

EXAMPLE: dict[str, Any] = {
    "user_id": "user_123",
    "channels": ["email", "in_app"],
    "notification_type": "order_shipped",
    "at": "2026-11-20T22:10:00Z",
}
ONE_CHANNEL: dict[str, Any] = {"user_id": "user_123", "channel": "email", "class": "marketing"}


class DryRunBody(Ways):
    """Would this person get such a message over these channels now, or at another time?"""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE, ONE_CHANNEL]})

    user_id: UserId
    message_class: MessageClass | None = Field(
        default=None, alias="class", description="The class of the type, or else transactional."
    )
    priority: PriorityWord = PriorityWord.MEDIUM
    notification_type: Word | None = None
    send_now: bool = False
    at: NearInstant | None = Field(default=None, description="The moment to ask about; now when left out.")
    metadata: Metadata = Field(default_factory=dict, description="Addresses that would be given with the message.")

    def question(self) -> Question:
        """Put the question together; raises Invalid when it names no channel, or one twice."""
        return Question(
            user_id=self.user_id,
            channels=self.ways(),
            message_class=self.message_class,
            priority=self.priority.priority,
            notification_type=self.notification_type,
            send_now=self.send_now,
            at=self.at,
            metadata=self.metadata,
        )


class RuleFindingView(BaseModel):
    """What one rule finds, in the order in which the rules are asked."""

    rule: str = Field(examples=["quiet_hours"])
    finding: str = Field(examples=["defer"], description="passes, skip, defer, digest, or lifted")
    reason: str | None = Field(examples=["quiet_hours"])
    until: datetime | None = Field(examples=["2026-11-21T07:00:00Z"])
    said: str = Field(examples=["quiet hours 22:00-08:00 Europe/Paris, the tenant's: Fri 23:10 there"])

    @classmethod
    def of(cls, one: Finding) -> "RuleFindingView":
        """Describe a finding."""
        return cls(rule=one.rule, finding=one.finding, reason=one.reason, until=one.until, said=one.said)


class ChannelOutlookView(BaseModel):
    """What would become of the message over one channel."""

    channel: ChannelKind = Field(examples=["email"])
    verdict: str = Field(examples=["defer"], description="allow, defer, digest or skip")
    reason: str | None = Field(examples=["quiet_hours"])
    until: datetime | None = Field(examples=["2026-11-21T07:00:00Z"])
    bypassed: list[str] = Field(examples=[[]], description="What would have kept it, had nothing lifted it.")
    summary: str = Field(examples=["It would wait: quiet hours until 08:00 Europe/Paris."])
    rules: list[RuleFindingView]

    @classmethod
    def of(cls, channel: ChannelKind, one: Explanation) -> "ChannelOutlookView":
        """Describe the outlook over one channel."""
        return cls(
            channel=channel,
            verdict=one.verdict,
            reason=one.reason,
            until=one.until,
            bypassed=list(one.bypassed),
            summary=one.summary,
            rules=[RuleFindingView.of(finding) for finding in one.rules],
        )


class DryRunView(BaseModel):
    """What would become of the message. Nothing was written, and nobody's place was taken."""

    user_id: str = Field(examples=["user_123"])
    known: bool = Field(examples=[True], description="Whether there is a contact of this name.")
    message_class: MessageClass = Field(alias="class", examples=["transactional"])
    at: datetime = Field(examples=["2026-11-20T22:10:00Z"])
    channels: list[ChannelOutlookView]

    @classmethod
    def of(cls, user_id: str, outlook: Outlook) -> "DryRunView":
        """Describe an outlook."""
        return cls.model_validate(
            {
                "user_id": user_id,
                "known": outlook.known,
                "class": outlook.message_class,
                "at": outlook.at,
                "channels": [ChannelOutlookView.of(channel, one) for channel, one in outlook.channels.items()],
            }
        )
