"""What a channel is: it takes a parcel to a provider and says what became of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, Self
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind, Priority

DETAIL_LIMIT = 500


class Verdict(StrEnum):
    """What one hand-off came to."""

    ACCEPTED = "accepted"  # the provider took responsibility
    DEFERRED = "deferred"  # a definite "not now", about this message
    REJECTED = "rejected"  # a definite "never", about this message
    UNKNOWN = "unknown"  # the body may have been taken; nobody said
    WITHDRAWN = "withdrawn"  # the mark refused; nothing was sent
    BUSY = "busy"  # its destination takes nothing before `retry_after`; nothing about it or about other destinations
    UNAVAILABLE = "unavailable"  # no provider could be reached; nothing about this message


class Phase(StrEnum):
    """How far the conversation had come when it ended."""

    CONNECT = "connect"
    ENVELOPE = "envelope"
    MARK = "mark"
    DATA = "data"
    BODY = "body"
    ANSWER = "answer"


class Evidence(StrEnum):
    """What a provider knows of a message we lost sight of."""

    FOUND = "found"
    ABSENT = "absent"
    SILENT = "silent"  # it cannot be asked, or did not answer
    REPEATABLE = "repeatable"  # it cannot be asked, and knows a second copy for what it is


@dataclass(frozen=True, slots=True)
class Pace:
    """How many messages a limit lets through, and how often."""

    count: int
    every: timedelta


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one hand-off.

    `reason` is a snake_case code, `code` the SMTP reply code or HTTP status, `enhanced` the RFC 3463 status ("5.1.1"),
    `detail` the provider's words with addresses removed, at most 500 characters. `retry_after` is the provider's own
    wish, `latency` the time from the mark to its answer where that is told. `pace` is given when a limit of ours was
    reached: those who wait come back by and by.
    """

    verdict: Verdict
    phase: Phase
    reason: str
    provider: str | None = None
    code: int | None = None
    enhanced: str | None = None
    detail: str | None = None
    retry_after: timedelta | None = None
    pace: Pace | None = None
    latency: timedelta | None = None

    def waiting_at_most(self, longest: timedelta) -> Self:
        """Take a provider's wish at its word only so far: some ask for years, or until the year 9999."""
        return self if self.retry_after is None else replace(self, retry_after=min(self.retry_after, longest))


@dataclass(frozen=True, slots=True)
class Enclosure:
    """An attachment, or an inline image when `content_id` is given."""

    filename: str
    content_type: str
    content: bytes
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class Bulk:
    """What a recipient of a campaign's task has beside a single message.

    `services` are the sender services the task may use; empty means the tenant's ordinary providers.
    """

    task_id: UUID
    campaign_id: UUID
    seq: int
    services: tuple[UUID, ...] = ()
    reply_to: str | None = None
    track_opens: bool = False
    track_clicks: bool = False


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message on its way: everything a channel needs, already decided.

    `message` holds the frozen bytes of an earlier attempt; a channel sends these and nothing else when present.
    `resolved_at` is fixed per delivery (its creation), so that a Date header is the same on every retry.
    A parcel belongs to a notification, or it is `bulk`: one recipient of a campaign's task.
    """

    delivery_id: UUID
    notification_id: UUID | None
    tenant_id: UUID
    address: str
    sender: str
    resolved_at: datetime
    priority: Priority = Priority.MEDIUM
    user_id: str | None = None
    notification_type: str | None = None
    title: str | None = None
    body_text: str | None = None
    body_html: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    enclosures: tuple[Enclosure, ...] = ()
    message: bytes | None = None
    unsubscribe_url: str | None = None  # where one click ends messages of this kind; marketing e-mail has one
    preferences_url: str | None = None  # where its reader chooses among all kinds
    bulk: Bulk | None = None


@dataclass(frozen=True, slots=True)
class Suspect:
    """A message whose outcome is unknown, as a provider would know it."""

    delivery_id: UUID
    tenant_id: UUID
    message_id: str
    provider: str | None


# The write-ahead mark: called once, when the provider waits for the body and before it goes; False means do not send.
# It takes the exact bytes about to be sent (None for channels without bytes) and the provider's name.
Mark = Callable[[bytes | None, str], Awaitable[bool]]


class Channel(Protocol):
    """One way to a person."""

    kind: ChannelKind

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:
        """Take the parcel to a provider; never raises for what the provider does or fails to do."""
        ...

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:
        """Ask what became of messages; a missing key means `silent`."""
        ...

    async def close(self) -> None:
        """Let connections go, politely."""
        ...
