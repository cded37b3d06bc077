"""What a caller writes about suppressions, and what is answered: hashes and reasons, never an address."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.v1.body import Body
from api.v1.examples import TIME_EXAMPLE
from api.v1.fields import UserId, as_field, plain
from postroom.contracts.vocabulary import ChannelKind
from postroom.errors import FieldError, Invalid
from postroom.identity import SUPPRESSION, public_id
from postroom.jobs.batch import refusal
from postroom.suppressions.entry import EVERYTHING, Entry, Reason, Source, check_scope, wire_spelling
from postroom.suppressions.service import MOST, Standing, Written

SUPPRESSION_EXAMPLE = "supp_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"

ScopeText = Annotated[str, AfterValidator(as_field(check_scope)), Field(examples=["marketing"])]
Address = Annotated[str, StringConstraints(min_length=1, max_length=320), AfterValidator(plain)]
Note = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(plain)]


class AddressBody(Body):
    """An address over one channel: an e-mail address, a user_id for the inbox, the id of a webhook endpoint."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"channel": "email", "address": "ada@example.com"}]}
    )

    channel: ChannelKind
    address: Address


class Terms(Body):
    """What is suppressed of it, and why."""

    scope: ScopeText = EVERYTHING
    reason: Reason = Reason.MANUAL
    note: Note | None = Field(
        default=None, description="Whatever helps to remember why; it goes when the person is erased."
    )

    def about(self, channel: ChannelKind, address: str) -> Entry:
        """Put an entry together."""
        return Entry(channel, address, self.scope, self.reason, self.note)


class NewSuppression(Terms):
    """An address over one channel, or what is known of a person over one channel or all of them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"channel": "email", "address": "ada@example.com", "scope": "marketing", "reason": "unsubscribed"},
                {"user_id": "user_123", "reason": "blocked"},
            ]
        },
    )

    channel: ChannelKind | None = None
    address: Address | None = None
    user_id: UserId | None = None

    def check(self) -> None:
        """Hold the fields to one another.

        Raises:
            Invalid: neither or both of address and user_id, an address without its channel, or one that is none.
        """
        if (self.address is None) == (self.user_id is None):
            raise Invalid.at("/address", "address_or_user_id", "Give an address or a user_id.")
        if self.address is not None:
            if self.channel is None:
                raise Invalid.at("/channel", "channel_required", "An address belongs to a channel.")
            for wrong in wrong_address("/address", self.channel, self.address):
                raise refusal([wrong])


class ListedSuppression(Terms, AddressBody):
    """One line of a list."""


class SuppressionList(Body):
    """A list to be suppressed: all of it is written, or nothing."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"entries": [{"channel": "email", "address": "ada@example.com", "reason": "bounced"}]}]
        },
    )

    entries: Annotated[list[ListedSuppression], Field(min_length=1, max_length=MOST)]

    def asked(self) -> Sequence[Entry]:
        """Return the entries.

        Raises:
            Invalid: with a pointer to each address that is none.
        """
        errors: list[FieldError] = []
        for at, line in enumerate(self.entries):
            errors += wrong_address(f"/entries/{at}/address", line.channel, line.address)
        if errors:
            raise refusal(errors)
        return [line.about(line.channel, line.address) for line in self.entries]


def wrong_address(pointer: str, channel: ChannelKind, address: str) -> Sequence[FieldError]:
    """Say what is wrong with an address, if anything is."""
    try:
        wire_spelling(channel, address)
    except Invalid as error:
        return [FieldError(pointer, error.code, error.detail)]
    return []


class SuppressionView(BaseModel):
    """One entry; `address_hash` is keyed, so it can be compared and not be read back."""

    id: str = Field(examples=[SUPPRESSION_EXAMPLE])
    channel: ChannelKind = Field(examples=["email"])
    address_hash: str = Field(examples=["5b1c" * 16])
    scope: str = Field(examples=["marketing"])
    reason: str = Field(examples=["unsubscribed"])
    source: Source | str = Field(examples=["api"])
    note: str | None = Field(examples=[None])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, one: Standing) -> "SuppressionView":
        """Describe an entry."""
        told: dict[str, Any] = {
            name: getattr(one, name) for name in ("channel", "scope", "reason", "source", "note", "created_at")
        }
        return cls(id=public_id(SUPPRESSION, one.id), address_hash=one.address_hash.hex(), **told)


class SuppressionsView(BaseModel):
    """Some entries, newest first, and the cursor for the next ones."""

    items: list[SuppressionView]
    next_cursor: str | None = Field(examples=[None])


class WrittenView(BaseModel):
    """What stands now, and how much of it is new."""

    items: list[SuppressionView]
    added: int = Field(examples=[1])

    @classmethod
    def of(cls, written: Written) -> "WrittenView":
        """Describe what was written."""
        return cls(items=[SuppressionView.of(one) for one in written.entries], added=written.new)


class TakenView(BaseModel):
    """How many entries of a list are new, and how many had been there."""

    added: int = Field(examples=[970])
    known: int = Field(examples=[30])

    @classmethod
    def of(cls, written: Written) -> "TakenView":
        """Count what was written."""
        return cls(added=written.new, known=len(written.entries) - written.new)


class CheckedView(BaseModel):
    """What is suppressed of an address; `suppressed` is true when nothing at all is sent there."""

    suppressed: bool = Field(examples=[False])
    items: list[SuppressionView]

    @classmethod
    def of(cls, entries: Sequence[Standing]) -> "CheckedView":
        """Describe what stands."""
        everything = any(one.scope == EVERYTHING for one in entries)
        return cls(suppressed=everything, items=[SuppressionView.of(one) for one in entries])
