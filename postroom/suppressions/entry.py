"""What is suppressed: an address over one channel, for everything or for one kind of message, and why."""

import re
from dataclasses import dataclass
from enum import StrEnum

from postroom.channels.email.addresses import clean_address
from postroom.contracts.vocabulary import ChannelKind
from postroom.errors import Invalid

EVERYTHING = "all"
SCOPE = re.compile(r"all|marketing|(?:type|group):[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,64}")


class Reason(StrEnum):
    """Why nothing is sent."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    MANUAL = "manual"
    BLOCKED = "blocked"
    ERASED = "erased"


class Source(StrEnum):
    """Who wrote it down."""

    API = "api"
    OPERATOR = "operator"
    ERASURE = "erasure"
    PERSON = "person"
    FEEDBACK = "feedback"


@dataclass(frozen=True, slots=True)
class Entry:
    """One address to be suppressed, as it was given."""

    channel: ChannelKind
    address: str
    scope: str = EVERYTHING
    reason: Reason = Reason.MANUAL
    note: str | None = None


def check_scope(text: str) -> str:
    """Return a scope that a message can have.

    Raises:
        Invalid: it is none of all, marketing, type:<name>, group:<name>.
    """
    if not SCOPE.fullmatch(text):
        raise Invalid("Write all, marketing, type:<name> or group:<name>.", code="invalid_scope")
    return text


def wire_spelling(channel: ChannelKind, address: str) -> str:
    """Return the spelling that will stand on the wire, which is the one whose hash the mark compares.

    Raises:
        Invalid: no message could ever go there (`invalid_recipient`, `recipient_domain_not_allowed`).
    """
    return clean_address(address.strip()) if channel is ChannelKind.EMAIL else address
