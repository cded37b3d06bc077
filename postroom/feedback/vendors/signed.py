"""Postroom's own format for everybody else, signed as the Standard Webhooks specification says."""

import base64
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from standardwebhooks import Webhook, WebhookVerificationError

from postroom.errors import Invalid, NotFound
from postroom.feedback.report import Kind, Report, bounce, delivery_named, enhanced_of
from postroom.feedback.vendors.base import Call, Told, inside, listed, parsed, refused, word
from postroom.identity import DELIVERY, parse_id
from postroom.webhooks.signing import PREFIX

NAME = "signed"
SHORTEST = 24  # bytes, as the specification demands


class Signed:
    """Implements `Vendor`; the secret is `whsec_...`."""

    def check_secret(self, secret: str) -> None:
        """Refuse what is no secret of the specification."""
        try:
            content = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except ValueError:
            content = b""
        if not secret.startswith(PREFIX) or len(content) < SHORTEST:
            raise Invalid.at("/secret", "invalid_secret", "Give a secret of Standard Webhooks: whsec_ and base64.")

    async def told(self, call: Call, secret: str) -> Told:
        """Prove a call and read its events."""
        try:
            Webhook(secret).verify(call.body, dict(call.headers))
        except (
            WebhookVerificationError,
            ValueError,
        ):  # ValueError: a signature that is no base64, a body no JSON
            raise refused() from None
        events = listed(inside(parsed(call.body), "events"))
        reports = [report for event in events if (report := _report(event))]
        return Told(reports, len(events) - len(reports))


def _report(event: Mapping[str, Any]) -> Report | None:
    delivery_id, kind = _delivery(event), word(event.get("kind"))
    if delivery_id is None or kind not in set(Kind):
        return None
    if kind == Kind.BOUNCED:
        words = event.get("detail")
        return bounce(delivery_id, NAME, (enhanced_of(event.get("enhanced")), event.get("permanent") is True, words))
    return Report(Kind(kind), delivery_id, NAME)


def _delivery(event: Mapping[str, Any]) -> UUID | None:
    named = event.get("delivery_id")
    if not isinstance(named, str):
        return delivery_named(event.get("message_id"))
    try:
        return parse_id(DELIVERY, named)
    except NotFound:
        return None
