"""Amazon SES by SNS: signed with a certificate of Amazon's, about one topic."""

# https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html

import base64
import binascii
import hmac
import logging
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate

from postroom.errors import Invalid
from postroom.feedback.report import Kind, Report, bounce, delivery_named, enhanced_of
from postroom.feedback.vendors.base import Call, Told, inside, listed, parsed, refused, word
from postroom.rates import Rate, RateExceeded

log = logging.getLogger(__name__)

NAME = "ses"
NO_MAILBOX = "5.1.1"
CERTIFICATES = 20
FETCHES_PER_MINUTE = 10  # of one topic: Amazon changes its certificates once a year, and a stranger may name any
_TOPIC = re.compile(r"arn:aws(?:-[a-z]+)*:sns:[a-z0-9-]{3,30}:\d{12}:[A-Za-z0-9_.-]{1,256}")
_HOST = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(?:\.cn)?")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{8,64}\.pem")
_SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_HASHES: Mapping[str, Callable[[], SHA1 | SHA256]] = {"1": SHA1, "2": SHA256}  # SHA1 is SNS's own default
_PLAIN = {"Delivery": Kind.DELIVERED, "DeliveryDelay": Kind.DELAYED, "Complaint": Kind.COMPLAINED}

Fetch = Callable[[str], Awaitable[bytes]]  # what stands at an https URL; raises OSError


class Ses:
    """Implements `Vendor`; the secret is the ARN of the topic, the only one that is listened to."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._keys: OrderedDict[str, RSAPublicKey] = OrderedDict()
        self._fetches = Rate(FETCHES_PER_MINUTE)

    def check_secret(self, secret: str) -> None:
        """Refuse what names no topic."""
        if not _TOPIC.fullmatch(secret):
            raise Invalid.at("/secret", "invalid_secret", "Give the ARN of the SNS topic.")

    async def told(self, call: Call, secret: str) -> Told:
        """Prove a call and read it; a topic that asks for its subscription to be confirmed gets that."""
        said = parsed(call.body)
        if not hmac.compare_digest(word(inside(said, "TopicArn")).encode(), secret.encode()):
            raise refused()
        await self._prove(said)
        if said["Type"] == "SubscriptionConfirmation":
            await self._confirm(word(said.get("SubscribeURL")))
            return Told()
        if said["Type"] != "Notification":
            return Told(ignored=1)
        event = parsed(word(said.get("Message")))
        reports = _reports(event)
        return Told(reports, 0 if reports else 1)

    async def _prove(self, said: Mapping[str, Any]) -> None:
        hash_of = _HASHES.get(word(said.get("SignatureVersion")))
        key = await self._key(word(said.get("SigningCertURL")), said["TopicArn"])
        if hash_of is None or key is None:
            raise refused()
        names = [name for name in _SIGNED if said.get(name) is not None]
        signed = "".join(f"{name}\n{word(said[name])}\n" for name in names).encode()
        try:
            key.verify(base64.b64decode(word(said.get("Signature")), validate=True), signed, PKCS1v15(), hash_of())
        except (InvalidSignature, binascii.Error, ValueError):
            raise refused() from None

    async def _key(self, url: str, topic: str) -> RSAPublicKey | None:
        """Return Amazon's key; only what stands at Amazon's own address is one."""
        if not (_is_amazons(url) and _CERTIFICATE.fullmatch(urlsplit(url).path)):
            return None
        if url not in self._keys:
            standing = self._fetches.hit(topic)
            if not standing.allowed:
                raise RateExceeded("Too many certificates were named.", "source_rate_limited", standing)
            try:
                key = load_pem_x509_certificate(await self._fetch(url)).public_key()
            except (OSError, ValueError):
                log.warning("the certificate of a call could not be had")
                return None
            if not isinstance(key, RSAPublicKey):
                return None
            self._keys[url] = key
            if len(self._keys) > CERTIFICATES:
                self._keys.popitem(last=False)
        return self._keys[url]

    async def _confirm(self, url: str) -> None:
        if not _is_amazons(url):
            raise refused()
        try:
            await self._fetch(url)
        except OSError:
            raise Invalid("The subscription could not be confirmed.", code="subscription_not_confirmed") from None


def _is_amazons(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and _HOST.fullmatch(parts.netloc) is not None and url.isprintable()


def _reports(event: object) -> list[Report]:
    delivery_id = _delivery(inside(event, "mail"))
    kind = word(inside(event, "eventType")) or word(inside(event, "notificationType"))
    if delivery_id is None:
        return []
    if kind == "Bounce":
        found = inside(event, "bounce")
        hard = inside(found, "bounceType") == "Permanent"
        return [
            bounce(delivery_id, NAME, (_status(one, hard=hard), hard, one.get("diagnosticCode")))
            for one in listed(inside(found, "bouncedRecipients"))
        ]
    return [Report(_PLAIN[kind], delivery_id, NAME)] if kind in _PLAIN else []


def _status(recipient: Mapping[str, Any], *, hard: bool) -> str | None:
    found = enhanced_of(recipient.get("status"), recipient.get("diagnosticCode"))
    return found or (NO_MAILBOX if hard else None)


def _delivery(mail: object) -> UUID | None:
    """Find our Message-ID among the headers as they were handed over: SES gives a message another one."""
    for header in listed(inside(mail, "headers")):
        if word(header.get("name")).lower() == "message-id":
            return delivery_named(header.get("value"))
    return delivery_named(inside(mail, "commonHeaders", "messageId"))
