"""What a caller writes about a person, and what is answered."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.v1.fields import Language, TimeZone, as_field
from api.v1.schedule_bodies import Body
from postroom.channels.email.addresses import clean_address
from postroom.contacts.models import Contact
from postroom.contacts.person import Person
from postroom.egress.targets import parse_target


def _url(text: str) -> str:
    """Check the spelling alone: what may be named is decided where endpoints are written."""
    return str(parse_target(text, public_only=False))


class Addresses(Body):
    """Where a person is reached, per channel."""

    email: Annotated[str, AfterValidator(as_field(clean_address))] | None = None
    webhook: Annotated[str, AfterValidator(as_field(_url))] | None = Field(
        default=None, description="The URL of one of the tenant's webhook endpoints."
    )


class ContactBody(Body):
    """A contact as a whole; what is left out is forgotten."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"addresses": {"email": "ada@example.com"}, "time_zone": "Europe/Paris", "language": "fr"}]
        },
    )

    addresses: Addresses = Field(default_factory=Addresses)
    time_zone: TimeZone | None = None
    language: Language | None = None

    def person(self, user_id: str) -> Person:
        """Put a person together."""
        addresses: dict[str, Any] = self.addresses.model_dump(exclude_none=True)
        return Person(user_id, addresses, self.time_zone, self.language)


class ContactView(BaseModel):
    """What is known of a person."""

    user_id: str = Field(examples=["user_123"])
    addresses: dict[str, str] = Field(examples=[{"email": "ada@example.com"}])
    time_zone: str | None = Field(examples=["Europe/Paris"])
    language: str | None = Field(examples=["fr"])
    created_at: datetime = Field(examples=["2026-11-20T10:00:00.000000Z"])
    updated_at: datetime = Field(examples=["2026-11-20T10:00:00.000000Z"])

    @classmethod
    def of(cls, contact: Contact) -> "ContactView":
        """Describe a contact."""
        return cls(
            user_id=contact.user_id,
            addresses=contact.addresses,
            time_zone=contact.time_zone,
            language=contact.language,
            created_at=contact.created_at,
            updated_at=contact.updated_at,
        )
