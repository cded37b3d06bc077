"""What a caller writes about a person, and what is answered."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api.v1.body import Body
from api.v1.fields import Attributes, Instant, Language, Tags, TimeZone, Word, as_field
from api.v1.policy.quiet_hours import QuietHoursBody
from postroom.channels.email.addresses import clean_address
from postroom.contacts.consent import Consents, Given
from postroom.contacts.person import Contact, Person
from postroom.contacts.service import Change
from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.egress.targets import parse_target

EXAMPLE: Mapping[str, Any] = {
    "addresses": {"email": "ada@example.com"},
    "time_zone": "Europe/Paris",
    "language": "fr",
    "attributes": {"first_name": "Ada", "plan": "pro"},
    "tags": ["customer", "newsletter"],
    "consent": {"marketing": {"email": {"given": True, "at": "2026-11-20T10:00:00Z", "source": "signup form"}}},
    "quiet_hours": {"start": "21:00", "end": "07:30"},
}


def _url(text: str) -> str:
    """Check the spelling alone: what may be named is decided where endpoints are written."""
    return str(parse_target(text, public_only=False))


class Addresses(Body):
    """Where a person is reached, per channel."""

    email: Annotated[str, AfterValidator(as_field(clean_address))] | None = None
    webhook: Annotated[str, AfterValidator(as_field(_url))] | None = Field(
        default=None, description="The URL of one of the tenant's webhook endpoints."
    )


class GivenBody(Body):
    """Whether consent was given, when, and where we know it from."""

    given: bool = Field(strict=True)
    at: Instant | None = Field(default=None, description="By default now.")
    source: Word | None = Field(default=None, examples=["signup form"])


class ConsentBody(Body):
    """What a person agreed to: marketing, over each channel."""

    marketing: dict[ChannelKind, GivenBody] = Field(default_factory=dict)

    def consents(self) -> Consents:
        """Put it together."""
        now = datetime.now(UTC)
        channels = {
            channel: Given(one.given, min(one.at or now, now), one.source) for channel, one in self.marketing.items()
        }
        return {MessageClass.MARKETING: channels} if channels else {}


class ContactBody(Body):
    """A contact as a whole; what is left out is forgotten, but for tags. Consent is added to what is known."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [dict(EXAMPLE)]})

    addresses: Addresses = Field(default_factory=Addresses)
    time_zone: TimeZone | None = None
    language: Language | None = None
    attributes: Attributes = Field(default_factory=dict)
    tags: Tags | None = Field(default=None, description="All tags of the person; left out, they keep those they have.")
    consent: ConsentBody = Field(default_factory=ConsentBody)
    quiet_hours: QuietHoursBody | None = Field(default=None, description="The person's own; null is the tenant's.")

    def person(self, user_id: str) -> Person:
        """Put a person together."""
        return Person(
            user_id,
            self.addresses.model_dump(exclude_none=True),
            self.time_zone,
            self.language,
            attributes=self.attributes,
            consent=self.consent.consents(),
            quiet_hours=self.quiet_hours.stored() if self.quiet_hours else None,
            tags=self.tags,
        )


class ContactChange(Body):
    """What shall be different; what is left out stays. Inside addresses and attributes, null forgets."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"language": "de", "attributes": {"plan": "free"}}]}
    )

    addresses: Addresses | None = None
    time_zone: TimeZone | None = None
    language: Language | None = None
    attributes: Attributes | None = None
    tags: Tags | None = None
    consent: ConsentBody | None = None
    quiet_hours: QuietHoursBody | None = None

    @model_validator(mode="after")
    def _maps_are_maps(self) -> "ContactChange":
        never_null = self.model_fields_set & {"addresses", "attributes", "tags", "consent"}
        if any(getattr(self, name) is None for name in never_null):
            raise PydanticCustomError("field_required", "Addresses, attributes and consent are objects, tags a list.")
        return self

    def change(self, user_id: str) -> Change:
        """Name what was named."""
        named = self.model_fields_set - {"consent"}
        values: dict[str, Any] = {name: getattr(self, name) for name in named}
        if self.addresses is not None:
            values["addresses"] = self.addresses.model_dump(include=self.addresses.model_fields_set)
        if self.quiet_hours is not None:
            values["quiet_hours"] = self.quiet_hours.stored()
        return Change(user_id, values, self.consent.consents() if self.consent else {})


class ContactView(BaseModel):
    """What is known of a person."""

    user_id: str = Field(examples=["user_123"])
    addresses: dict[str, str] = Field(examples=[EXAMPLE["addresses"]])
    time_zone: str | None = Field(examples=["Europe/Paris"])
    language: str | None = Field(examples=["fr"])
    attributes: dict[str, Any] = Field(examples=[EXAMPLE["attributes"]])
    tags: list[str] = Field(examples=[EXAMPLE["tags"]])
    consent: dict[str, Any] = Field(examples=[EXAMPLE["consent"]])
    quiet_hours: dict[str, Any] | None = Field(examples=[EXAMPLE["quiet_hours"]])
    created_at: datetime = Field(examples=["2026-11-20T10:00:00.000000Z"])
    updated_at: datetime = Field(examples=["2026-11-20T10:00:00.000000Z"])

    @classmethod
    def of(cls, contact: Contact) -> "ContactView":
        """Describe a contact."""
        return cls.model_validate(contact, from_attributes=True)


class ContactsView(BaseModel):
    """A page of contacts, by user_id."""

    items: list[ContactView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")
