"""Postmark's webhooks, which carry a user name and a password of one's own."""

# https://postmarkapp.com/developer/webhooks/webhooks-overview

import base64
import hmac
from collections.abc import Mapping
from typing import Any

from postroom.errors import Invalid
from postroom.feedback.report import Kind, Report, bounce, delivery_named, enhanced_of
from postroom.feedback.vendors.base import Call, Told, inside, listed, parsed, refused, word

NAME = "postmark"
NO_MAILBOX = "5.1.1"
_PLAIN = {"Delivery": Kind.DELIVERED, "SpamComplaint": Kind.COMPLAINED}
_HARD = frozenset({"HardBounce", "BadEmailAddress"})


class Postmark:
    """Implements `Vendor`; the secret is `user:password`."""

    def check_secret(self, secret: str) -> None:
        """Refuse what is no user and password."""
        user, colon, password = secret.partition(":")
        if not (user and colon and password):
            raise Invalid.at("/secret", "invalid_secret", "Give user:password, as they stand in the webhook's URL.")

    async def told(self, call: Call, secret: str) -> Told:
        """Prove a call and read its event."""
        expected = b"Basic " + base64.b64encode(secret.encode())
        if not hmac.compare_digest(expected, call.headers.get("authorization", "").encode()):
            raise refused()
        events = listed(parsed(call.body))
        reports = [report for event in events if (report := _report(event))]
        return Told(reports, len(events) - len(reports))


def _report(event: Mapping[str, Any]) -> Report | None:
    """Read an event; Postmark names messages its own way, so ours stands in their metadata (`message_id`)."""
    delivery_id, kind = delivery_named(inside(event, "Metadata", "message_id")), word(event.get("RecordType"))
    if delivery_id is None:
        return None
    if kind == "Bounce":
        words = f"{word(event.get('Details'))} {word(event.get('Description'))}".strip()
        hard = event.get("Type") in _HARD
        return bounce(delivery_id, NAME, (enhanced_of(words) or (NO_MAILBOX if hard else None), hard, words))
    if kind == "SubscriptionChange" and event.get("SuppressSending") is True and event.get("Origin") == "Recipient":
        return Report(Kind.UNSUBSCRIBED, delivery_id, NAME)
    return Report(_PLAIN[kind], delivery_id, NAME) if kind in _PLAIN else None
