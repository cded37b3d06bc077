"""What a caller writes and reads about what a person wants."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from api.v1.body import Body
from api.v1.examples import TIME_EXAMPLE
from api.v1.fields import Word, read_near_instant
from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.errors import FieldError, Invalid
from postroom.policy.preferences import EVERY, GROUP, Frequency
from postroom.subscriptions.effective import Why
from postroom.subscriptions.preference import NewPreference, Preference
from postroom.subscriptions.repository import FOREVER, Pause
from postroom.subscriptions.service import MOST, Said

REACHABLE = (ChannelKind.EMAIL, ChannelKind.IN_APP, ChannelKind.WEBHOOK)

TypeOrGroup = Annotated[
    Word,
    Field(
        description=f"A type, `{GROUP}<name>` for a group, or `{EVERY}` for all but security.", examples=["newsletter"]
    ),
]
ChannelOrAll = Annotated[
    Literal[ChannelKind.EMAIL, ChannelKind.IN_APP, ChannelKind.WEBHOOK, "*"],
    Field(description="A channel, or `*` for all.", examples=["email"]),
]


def _pause(value: object) -> datetime | str | None:
    if value is None or value == FOREVER:
        return FOREVER if value else None
    return read_near_instant(value)


PausedUntil = Annotated[
    Literal["forever"] | datetime | None,
    PlainValidator(_pause, json_schema_input_type=Literal["forever"] | datetime | None),
    Field(description="Until then nothing but security is sent; null for no pause.", examples=[None]),
]


class PreferenceBody(Body):
    """One word of a person."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"notification_type": "newsletter", "channel": "email", "enabled": True, "frequency": "weekly"}
            ]
        },
    )

    notification_type: TypeOrGroup = EVERY
    channel: ChannelOrAll = "*"
    enabled: bool = Field(default=True, strict=True)
    frequency: Frequency | None = Field(default=None, description="By default the one of the type.")

    def preference(self) -> NewPreference:
        """Put it together."""
        return NewPreference(self.notification_type, str(self.channel), self.enabled, self.frequency)


def preferences_in(bodies: Sequence[PreferenceBody], place: str) -> list[NewPreference]:
    """Put several together.

    Raises:
        Invalid: two of them are about the same thing.
    """
    seen: dict[tuple[str, str], int] = {}
    errors = []
    for position, body in enumerate(bodies):
        first = seen.setdefault(body.preference().place, position)
        if first != position:
            detail = f"The same stands at {first}."
            errors.append(FieldError(f"{place}/{position}", "duplicate_preference", detail))
    if errors:
        raise Invalid(errors[0].detail, code="duplicate_preference", errors=errors)
    return [body.preference() for body in bodies]


class PreferencesBody(Body):
    """Everything a person wants; what is left out is forgotten."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "paused_until": None,
                    "preferences": [
                        {"notification_type": "newsletter", "channel": "email", "enabled": False},
                        {"notification_type": "group:activity", "channel": "*", "frequency": "daily"},
                    ],
                }
            ]
        },
    )

    paused_until: PausedUntil = None
    preferences: list[PreferenceBody] = Field(default_factory=list, max_length=MOST)

    def pause(self) -> Pause:
        """Until when; a time that has passed is no pause."""
        until = self.paused_until
        return None if isinstance(until, datetime) and until <= datetime.now(UTC) else until


class PreferenceView(BaseModel):
    """One word of a person."""

    notification_type: str = Field(examples=["newsletter"])
    channel: str = Field(examples=["email"])
    enabled: bool = Field(examples=[True])
    frequency: Frequency = Field(examples=["weekly"])
    updated_at: datetime | None = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, preference: Preference) -> "PreferenceView":
        """Describe it."""
        return cls.model_validate(preference, from_attributes=True)


class EffectiveView(BaseModel):
    """What applies to one type over one channel."""

    notification_type: str = Field(examples=["newsletter"])
    group: str = Field(examples=["marketing"])
    message_class: MessageClass = Field(serialization_alias="class", examples=["marketing"])
    channel: ChannelKind = Field(examples=["email"])
    enabled: bool = Field(examples=[True])
    frequency: Frequency = Field(examples=["weekly"])
    because: Why = Field(examples=["type"], description="Whose word it is: the person's, or the type's default.")


class PreferencesView(BaseModel):
    """What a person said, and what applies because of it."""

    user_id: str = Field(examples=["user_123"])
    paused_until: datetime | Literal["forever"] | None = Field(examples=[None])
    preferences: list[PreferenceView]
    effective: list[EffectiveView]
    page_url: str = Field(
        description="The person's own page, where nothing but this link is asked for: give it to nobody else.",
        examples=["https://notify.example.com/p/AWZpcnN0..."],
    )

    @classmethod
    def of(cls, user_id: str, said: Said, page_url: str) -> "PreferencesView":
        """Describe it."""
        return cls(
            user_id=user_id,
            paused_until=FOREVER if said.paused_until == FOREVER else said.paused_until,
            preferences=[PreferenceView.of(one) for one in said.preferences],
            effective=effective_views(said),
            page_url=page_url,
        )


def effective_views(said: Said) -> list[EffectiveView]:
    """Describe what applies to each type over each channel."""
    return [
        EffectiveView(
            notification_type=kind.name,
            group=kind.group,
            message_class=kind.message_class,
            channel=channel,
            enabled=applied.enabled,
            frequency=applied.frequency,
            because=applied.because,
        )
        for kind, channel, applied in said.applied(REACHABLE)
    ]


class ChangeView(BaseModel):
    """One change, as it was noted."""

    at: datetime = Field(examples=[TIME_EXAMPLE])
    by: Literal["api_key", "person"] = Field(examples=["person"], description="The person: by the link in a mail.")
    api_key_id: str | None = Field(examples=[None])
    subject: str = Field(examples=["preference"], description="preference, pause, consent or quiet_hours")
    notification_type: str | None = Field(examples=["newsletter"])
    channel: str | None = Field(examples=["email"])
    before: Any = Field(examples=[None])
    after: Any = Field(examples=[{"enabled": False, "frequency": "immediate"}])


class ChangesView(BaseModel):
    """The latest changes, newest first."""

    items: list[ChangeView]
