"""What a caller writes about those who report, and what is answered."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.v1.body import Body
from api.v1.examples import TIME_EXAMPLE
from api.v1.fields import plain
from postroom.feedback.mail import Outcome
from postroom.feedback.sources import NewSource, Source
from postroom.feedback.vendors.table import VendorName
from postroom.identity import FEEDBACK_SOURCE, public_id

SOURCE_EXAMPLE = "fsrc_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"
PATH = "/api/v1/feedback/events/"

Name = Annotated[str, StringConstraints(min_length=1, max_length=120), AfterValidator(plain)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=2_000), AfterValidator(plain)]


class NewSourceBody(Body):
    """A provider that shall tell what becomes of the mail it was given."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"vendor": "mailgun", "name": "eu.mailgun", "secret": "3f1b6c0d4e5a49e8a1f0c2d3b4a59687"}]
        },
    )

    vendor: VendorName
    name: Name
    secret: Secret = Field(
        description="What proves its calls: ses the ARN of the SNS topic, sendgrid the verification key, mailgun the "
        "webhook signing key, postmark user:password, signed a secret of Standard Webhooks."
    )

    def asked(self) -> NewSource:
        """Put a source together."""
        return NewSource(self.vendor, self.name, self.secret)


class SourceView(BaseModel):
    """A provider that is listened to; its secret is not shown."""

    id: str = Field(examples=[SOURCE_EXAMPLE])
    vendor: VendorName = Field(examples=["mailgun"])
    name: str = Field(examples=["eu.mailgun"])
    path: str = Field(examples=[PATH + SOURCE_EXAMPLE], description="Where the provider posts, on this API's host.")
    known: int = Field(examples=[1203], description="Reports about mail of the tenant.")
    ignored: int = Field(examples=[17], description="Events about other mail, and kinds that nothing is done with.")
    heard_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, source: Source) -> "SourceView":
        """Show a source."""
        named = public_id(FEEDBACK_SOURCE, source.id)
        return cls(
            id=named,
            vendor=VendorName(source.vendor),
            name=source.name,
            path=PATH + named,
            known=source.known,
            ignored=source.ignored,
            heard_at=source.heard_at,
            created_at=source.created_at,
        )


class SourcesView(BaseModel):
    """All of them, newest first: there are few."""

    items: list[SourceView]


class MailView(BaseModel):
    """What a mail turned out to be."""

    outcome: Outcome = Field(examples=["bounce"])
    reports: int = Field(examples=[1], description="What it says about single messages; whose they are stays untold.")
