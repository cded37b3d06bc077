"""What a tenant asks for, and the rules that span several of its fields."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from postroom.channels.base import Enclosure
from postroom.channels.email.addresses import clean_address
from postroom.contracts.vocabulary import ChannelKind, MessageClass, Priority, Strategy
from postroom.errors import Invalid
from postroom.identity import new_id
from postroom.notifications.schedule import Schedule
from postroom.templates.casting import Casting
from postroom.templates.using import Use
from postroom.tenants.gate import Identity
from postroom.timing import Timing

CONTENT_LENGTH = 1_000_000  # characters of a text, and of an HTML

# Where `metadata` holds the address for one channel, when not under the channel's own name.
ADDRESS_FIELDS = {ChannelKind.WEBHOOK: "webhook_url"}


@dataclass(frozen=True, slots=True)
class Request:
    """One notification as asked for; every field has been checked by itself.

    The address of a channel in `metadata` goes before the contact's and never replaces it. It has words of its own, or
    a template to speak with.
    """

    channels: tuple[ChannelKind, ...]
    title: str | None = None
    body_text: str | None = None
    body_html: str | None = None
    user_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    strategy: Strategy = Strategy.FIRST
    priority: Priority = Priority.MEDIUM
    message_class: MessageClass = MessageClass.TRANSACTIONAL
    names_class: bool = False  # otherwise a declared type decides on the class
    notification_type: str | None = None
    schedule: Schedule = field(default_factory=Schedule)
    expires_at: datetime | None = None
    fallback_after: timedelta | None = None
    attachments: tuple[Enclosure, ...] = ()
    template: Use | None = None

    def check(self, now: datetime) -> None:
        """Refuse what no channel could carry, or what would never be due."""
        self._check_recipient()
        if ChannelKind.EMAIL in self.channels and ChannelKind.EMAIL in self.metadata:
            _check_address(self.metadata[ChannelKind.EMAIL])
        if ChannelKind.WEBHOOK in self.channels and not isinstance(self.metadata.get("webhook_url", ""), str):
            raise Invalid.at("/metadata/webhook_url", "url_not_allowed", "A URL is a text.")
        if self.attachments and ChannelKind.EMAIL not in self.channels:
            raise Invalid.at("/attachments", "attachments_need_email", "Only e-mail carries attachments.")
        if self.fallback_after is not None and (len(self.channels) == 1 or self.strategy is Strategy.ALL):
            raise Invalid.at("/fallback_after", "fallback_needs_channels", "There is no next channel to fall back to.")
        self.schedule.check(now, self.expires_at)

    def _check_recipient(self) -> None:
        """A contact may gain its address later, so a user_id is enough; without one every channel needs an address."""
        if self.user_id is not None:
            return
        for kind in self.channels:
            if kind is ChannelKind.IN_APP:
                raise Invalid.at("/user_id", "recipient_required", "An inbox belongs to a user_id.")
            if (name := ADDRESS_FIELDS.get(kind, str(kind))) not in self.metadata:
                raise Invalid.at(
                    "/metadata", "recipient_required", f"Give a user_id, or an address as metadata.{name}."
                )

    @property
    def webhook_url(self) -> str | None:
        """The URL it names for its webhook, as the caller wrote it."""
        url = self.metadata.get(ADDRESS_FIELDS[ChannelKind.WEBHOOK])
        return url if ChannelKind.WEBHOOK in self.channels and isinstance(url, str) else None


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The caller's name for a request, and the hash of what it asked for."""

    text: str
    request_hash: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """A notification about to be written: the request, whose it is, and the defaults it did not name."""

    id: UUID
    tenant_id: UUID
    api_key_id: UUID
    request: Request
    metadata_json: str
    life: timedelta
    fallback_after: timedelta
    key: IdempotencyKey | None = None
    casting: Casting | None = None  # which version its template came to

    @property
    def weight(self) -> int:
        """Bytes it brings along, roughly."""
        request = self.request
        words = len(request.body_text or "") + len(request.body_html or "") + len(self.metadata_json)
        return words + sum(len(enclosure.content) for enclosure in request.attachments)


def write_draft(request: Request, identity: Identity, timing: Timing, key: IdempotencyKey | None = None) -> Draft:
    """Give a checked request its id and its defaults."""
    return Draft(
        id=new_id(),
        tenant_id=identity.tenant_id,
        api_key_id=identity.key_id,
        request=request,
        metadata_json=spelled(request.metadata),
        life=timing.life(request.message_class),
        fallback_after=request.fallback_after or timing.fallback(request.priority),
        key=key,
    )


def spelled(values: Mapping[str, Any]) -> str:
    """Spell metadata or variables as the database takes them."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _check_address(address: object) -> None:
    pointer = f"/metadata/{ChannelKind.EMAIL}"
    if isinstance(address, list):
        raise Invalid.at(pointer, "too_many_recipients", "One notification has one recipient.")
    if not isinstance(address, str):
        raise Invalid.at(pointer, "invalid_recipient", "An address is a text.")
    try:
        clean_address(address)
    except Invalid as error:
        raise Invalid.at(pointer, error.code, error.detail) from error
