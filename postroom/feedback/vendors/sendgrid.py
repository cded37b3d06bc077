"""SendGrid's event webhook, signed with ECDSA over P-256."""

# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from postroom.errors import Invalid
from postroom.feedback.report import Kind, Report, bounce, delivery_named, enhanced_of
from postroom.feedback.vendors.base import Call, Told, listed, parsed, refused, word

NAME = "sendgrid"
_PLAIN = {
    "delivered": Kind.DELIVERED,
    "deferred": Kind.DELAYED,
    "spamreport": Kind.COMPLAINED,
    "unsubscribe": Kind.UNSUBSCRIBED,
    "group_unsubscribe": Kind.UNSUBSCRIBED,
}


class SendGrid:
    """Implements `Vendor`; the secret is the verification key, a public one."""

    def check_secret(self, secret: str) -> None:
        """Refuse what is no public key of an elliptic curve."""
        _key(secret)

    async def told(self, call: Call, secret: str) -> Told:
        """Prove a call and read its events."""
        signature = call.headers.get("x-twilio-email-event-webhook-signature", "")
        stamp = call.headers.get("x-twilio-email-event-webhook-timestamp", "")
        try:
            proof = base64.b64decode(signature, validate=True)
            _key(secret).verify(proof, stamp.encode() + call.body, ECDSA(SHA256()))
        except (InvalidSignature, binascii.Error, ValueError):
            raise refused() from None
        events = listed(parsed(call.body))
        reports = [report for event in events if (report := _report(event))]
        return Told(reports, len(events) - len(reports))


def _report(event: Mapping[str, Any]) -> Report | None:
    delivery_id, kind = delivery_named(event.get("smtp-id")), word(event.get("event"))
    if delivery_id is None:
        return None
    if kind == "bounce":  # a `blocked` one was refused for what was said or who said it, not for the mailbox
        words = event.get("reason")
        return bounce(
            delivery_id, NAME, (enhanced_of(event.get("status"), words), event.get("type") == "bounce", words)
        )
    return Report(_PLAIN[kind], delivery_id, NAME) if kind in _PLAIN else None


def _key(secret: str) -> EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode(secret, validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey):
        raise Invalid.at("/secret", "invalid_secret", "Give the verification key as SendGrid shows it, in base64.")
    return key
