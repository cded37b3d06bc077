"""What a caller writes and reads about notification types."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.v1.body import Body
from api.v1.fields import Word, as_field
from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.errors import Invalid
from postroom.policy.preferences import EVERY, GROUP, Frequency
from postroom.subscriptions.kinds import Defaults, Kind, NewKind

EXAMPLE: dict[str, Any] = {
    "group": "marketing",
    "class": "marketing",
    "description": "What is new, once a week",
    "defaults": {"enabled": True, "channels": {"in_app": False}, "frequency": "immediate"},
}


def _printable(text: str) -> str:
    if not text.isprintable():
        raise Invalid("Control characters are not allowed here.", code="invalid_characters")
    return text


def _own_name(text: str) -> str:
    if text == EVERY or text.startswith(GROUP):
        raise Invalid(f"{EVERY} and {GROUP} have a meaning of their own.", code="reserved_name")
    return text


KindName = Annotated[Word, AfterValidator(as_field(_own_name))]
Description = Annotated[str, StringConstraints(max_length=200), AfterValidator(as_field(_printable))]


class DefaultsBody(Body):
    """What holds for whoever said nothing; a channel goes before `enabled`."""

    enabled: bool = Field(default=True, strict=True)
    channels: dict[ChannelKind, Annotated[bool, Field(strict=True)]] = Field(default_factory=dict)
    frequency: Frequency = Frequency.IMMEDIATE


class NotificationTypeBody(Body):
    """A notification type as a whole."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    group: Word = Field(description="system, activity, billing, marketing, or any name.")
    message_class: MessageClass = Field(alias="class", description="It cannot be changed later.")
    description: Description | None = Field(default=None, description="People read it on their page.")
    defaults: DefaultsBody = Field(default_factory=DefaultsBody)
    digest_template: Word | None = Field(default=None, description="The name of the template its digests use.")

    def kind(self, name: str) -> NewKind:
        """Put a type together."""
        defaults = Defaults(self.defaults.enabled, self.defaults.channels, self.defaults.frequency)
        return NewKind(name, self.group, self.message_class, self.description, defaults, self.digest_template)


class NotificationTypeView(BaseModel):
    """A notification type."""

    model_config = ConfigDict(populate_by_name=True)

    name: str = Field(examples=["newsletter"])
    group: str = Field(examples=["marketing"])
    message_class: MessageClass = Field(alias="class", examples=["marketing"])
    description: str | None = Field(examples=["What is new, once a week"])
    defaults: dict[str, Any] = Field(examples=[EXAMPLE["defaults"]])
    digest_template: str | None = Field(examples=[None])
    created_at: datetime = Field(examples=["2026-11-20T10:00:00.000000Z"])
    updated_at: datetime = Field(examples=["2026-11-20T10:00:00.000000Z"])

    @classmethod
    def of(cls, kind: Kind) -> "NotificationTypeView":
        """Describe a type."""
        return cls(
            name=kind.name,
            group=kind.group,
            message_class=kind.message_class,
            description=kind.description,
            defaults=kind.defaults.spelled(),
            digest_template=kind.digest_template,
            created_at=kind.created_at,
            updated_at=kind.updated_at,
        )


class NotificationTypesView(BaseModel):
    """All types of a tenant, by group and name."""

    items: list[NotificationTypeView]
