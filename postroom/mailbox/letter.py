"""A message as it came in, and what the journal remembers of it."""

from dataclasses import dataclass
from datetime import datetime

from postroom.mailbox.headers import first, read_headers

# RFC 5322 allows 998 characters to a line.
MESSAGE_ID_LIMIT = 998
SUMMARY_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Letter:
    """One accepted body with its envelope; `message_id` is None when the mail names none."""

    raw: bytes
    mail_from: str
    recipients: tuple[str, ...]
    message_id: str | None
    author: str
    subject: str

    @classmethod
    def of(cls, raw: bytes, mail_from: str, recipients: tuple[str, ...]) -> "Letter":
        """Read the few headers a list of mail shows."""
        headers = read_headers(raw)
        return cls(
            raw,
            mail_from,
            recipients,
            first(headers, "message-id")[:MESSAGE_ID_LIMIT] or None,
            (first(headers, "from") or mail_from)[:SUMMARY_LIMIT],
            first(headers, "subject")[:SUMMARY_LIMIT],
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the journal put a letter, and the how-manieth copy of its message it is."""

    message: int
    copy: int


@dataclass(frozen=True, slots=True)
class Summary:
    """One message in the list; `cursor` orders by latest arrival."""

    id: int
    cursor: int
    message_id: str | None
    mail_from: str
    recipients: tuple[str, ...]
    author: str
    subject: str
    size: int
    copies: int
    first_at: datetime
    latest_at: datetime


@dataclass(frozen=True, slots=True)
class Copy:
    """One acceptance of a message."""

    accepted_at: datetime
    mail_from: str
    recipients: tuple[str, ...]
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the journal can swear to: when a message was first accepted, and how often in all."""

    accepted_at: datetime
    copies: int
