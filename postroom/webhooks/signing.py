"""Signatures of the Standard Webhooks specification, and the secrets they are made with."""

import base64
import secrets as randomness
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

SECRET_BYTES = 32
PREFIX = "whsec_"


def new_secret() -> str:
    """Make a secret of 256 random bits, as the specification spells them."""
    return PREFIX + base64.b64encode(randomness.token_bytes(SECRET_BYTES)).decode()


def signed_headers(message_id: str, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Sign a body as of now, once with each secret: a receiver that knows one of them can verify it."""
    # The library relabels the zone of what it is given instead of converting it: it must be UTC already.
    now = datetime.now(UTC)
    text = body.decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, now, text) for secret in secrets),
    }
