"""What somebody says became of a message, whoever says it and however."""

import re
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from postroom.channels.email.answers import clean_detail

_MESSAGE_ID = re.compile(r"<?([0-9a-f]{32})@[^\s<>@]{1,255}>?", re.ASCII)
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)", re.ASCII)
_SAYS_NOTHING = ".0.0"


class Kind(StrEnum):
    """What is said."""

    DELIVERED = "delivered"
    DELAYED = "delayed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True, slots=True)
class Report:
    """One thing said about one message.

    `proven` tells that a token of ours named the message; else `recipient`, where it is said, must be its address.
    """

    kind: Kind
    delivery_id: UUID
    source: str
    permanent: bool | None = None
    enhanced: str | None = None
    detail: str | None = None
    recipient: str | None = None
    proven: bool = False


def delivery_named(message_id: object) -> UUID | None:
    """Return the delivery whose Message-ID this is, with or without its brackets."""
    found = _MESSAGE_ID.fullmatch(message_id.strip()) if isinstance(message_id, str) else None
    return UUID(hex=found[1]) if found else None


def enhanced_of(*texts: object) -> str | None:
    """Return the first enhanced status (RFC 3463) that says more than its class; else the first there is."""
    found = [match[0] for text in texts if isinstance(text, str) for match in _ENHANCED.finditer(text[:4_000])]
    telling = (status for status in found if not status.endswith(_SAYS_NOTHING))
    return next(telling, found[0] if found else None)


def bounce(delivery_id: UUID, source: str, said: tuple[str | None, bool, object]) -> Report:
    """Make the report of a bounce from its status, whether it is final by the sender's own word, and their words."""
    enhanced, final, words = said
    permanent = enhanced.startswith("5.") if enhanced else final
    detail = clean_detail(words) if isinstance(words, str) and words else None
    return Report(Kind.BOUNCED, delivery_id, source, permanent, enhanced, detail)
