"""Mailgun's webhooks, signed with HMAC over a time and a token."""

# https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks

import hashlib
import hmac

from postroom.errors import Invalid
from postroom.feedback.report import Kind, Report, bounce, delivery_named, enhanced_of
from postroom.feedback.vendors.base import Call, Told, inside, parsed, refused, word

NAME = "mailgun"
_PLAIN = {
    "delivered": Kind.DELIVERED,
    "complained": Kind.COMPLAINED,
    "unsubscribed": Kind.UNSUBSCRIBED,
}
_SHORTEST = 16


class Mailgun:
    """Implements `Vendor`; the secret is the HTTP webhook signing key."""

    def check_secret(self, secret: str) -> None:
        """Refuse what is too short to be a key."""
        if len(secret) < _SHORTEST:
            raise Invalid.at("/secret", "invalid_secret", "Give the HTTP webhook signing key.")

    async def told(self, call: Call, secret: str) -> Told:
        """Prove a call and read its event."""
        said = parsed(call.body)
        stamp, token, proof = (word(inside(said, "signature", name)) for name in ("timestamp", "token", "signature"))
        expected = hmac.new(secret.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
        if not (stamp and token and hmac.compare_digest(expected.encode(), proof.encode())):
            raise refused()
        report = _report(inside(said, "event-data"))
        return Told([report]) if report else Told(ignored=1)


def _report(event: object) -> Report | None:
    delivery_id = delivery_named(inside(event, "message", "headers", "message-id"))
    kind = word(inside(event, "event"))
    if delivery_id is None:
        return None
    if kind == "failed":
        status = inside(event, "delivery-status")
        words = word(inside(status, "message")) or word(inside(status, "description"))
        final = inside(event, "severity") == "permanent"
        enhanced = enhanced_of(inside(status, "enhanced-code"), words)
        if not final:  # they go on trying
            return Report(Kind.DELAYED, delivery_id, NAME, permanent=False, enhanced=enhanced)
        return bounce(delivery_id, NAME, (enhanced, final, words))
    return Report(_PLAIN[kind], delivery_id, NAME) if kind in _PLAIN else None
