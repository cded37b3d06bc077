"""The body of a webhook: built once, kept with the first mark, sent byte for byte on every retry."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from postroom.channels.base import Parcel
from postroom.identity import DELIVERY, ENDPOINT, JOB, NOTIFICATION, public_id
from postroom.webhooks.book import Message
from postroom.webhooks.models import MESSAGE

PREFIXES = {"notification_id": NOTIFICATION, "endpoint_id": ENDPOINT, "job_id": JOB}


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes, and the webhook-id under which a receiver knows them again."""

    id: str
    content: bytes


def frozen(message: bytes) -> Body:
    """Take the bytes of an earlier attempt; the id stands in them."""
    return Body(str(json.loads(message)["id"]), message)


def build(parcel: Parcel, message: Message | None) -> Body:
    """Build the body of a tenant's own message, or of what the house tells."""
    told = message or Message(None, MESSAGE, parcel.resolved_at, _words(parcel))
    webhook_id = public_id(DELIVERY, told.message_id or parcel.delivery_id)
    content = {"id": webhook_id, "type": told.type, "timestamp": _moment(told.occurred_at), "data": _spelled(told.data)}
    return Body(webhook_id, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


def _words(parcel: Parcel) -> dict[str, Any]:
    return {
        "notification_id": str(parcel.notification_id),
        "user_id": parcel.user_id,
        "notification_type": parcel.notification_type,
        "title": parcel.title,
        "content": {"text": parcel.body_text, "html": parcel.body_html},
        "metadata": dict(parcel.metadata),
    }


def _spelled(data: Mapping[str, Any]) -> dict[str, Any]:
    """Ids leave the house with their prefix, whoever wrote them down."""
    ids = {name: public_id(prefix, UUID(data[name])) for name, prefix in PREFIXES.items() if data.get(name)}
    return {**data, **ids}


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
