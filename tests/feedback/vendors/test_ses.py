"""What SNS sends is proven by Amazon's certificate for one topic; nothing else is fetched, and nobody else believed."""

import asyncio
import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from postroom import rates
from postroom.errors import Invalid, Unauthenticated
from postroom.feedback.report import Kind, Report
from postroom.feedback.vendors.base import Call, Told
from postroom.feedback.vendors.ses import FETCHES_PER_MINUTE, Ses
from postroom.rates import RateExceeded

ID = UUID("019a9f3c-2b7e-7d1f-8a4c-5b6d7e8f9a0b")
TOPIC = "arn:aws:sns:eu-west-1:123456789012:bounces"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
SUBSCRIBE = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=abc"
KEY = generate_private_key(65_537, 2_048)
SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


def certificate(key: RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    return built.sign(key, SHA256()).public_bytes(Encoding.PEM)


class Web:
    """What stands where, and what was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pages = {CERTIFICATE: certificate(KEY), SUBSCRIBE: b"<ok/>"}

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.pages:
            raise OSError(url)
        return self.pages[url]


@pytest.fixture
def web() -> Web:
    return Web()


def call(event: Any, version: str = "2", **changes: Any) -> Call:
    said: dict[str, Any] = {
        "Type": "Notification",
        "MessageId": "da41e39f",
        "TopicArn": TOPIC,
        "Message": json.dumps(event),
        "Timestamp": "2026-11-20T20:00:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
    } | changes
    text = "".join(f"{name}\n{said[name]}\n" for name in SIGNED if name in said)
    hashed = SHA256() if version == "2" else SHA1()  # noqa: S303 - what SNS signs with until asked otherwise
    said.setdefault("Signature", base64.b64encode(KEY.sign(text.encode(), PKCS1v15(), hashed)).decode())
    return Call({"content-type": "text/plain; charset=UTF-8"}, json.dumps(said).encode())


def event(kind: str, **more: Any) -> dict[str, Any]:
    headers = [{"name": "Subject", "value": "Spring"}, {"name": "Message-ID", "value": f"<{ID.hex}@postroom.example>"}]
    return {"eventType": kind, "mail": {"messageId": "0102018f", "headers": headers}} | more


def bounce(kind: str, *recipients: Mapping[str, str]) -> dict[str, Any]:
    return event("Bounce", bounce={"bounceType": kind, "bouncedRecipients": list(recipients)})


def told(web: Web, said: Call, secret: str = TOPIC) -> Told:
    return asyncio.run(Ses(web.fetch).told(said, secret))


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    ("said", "report"),
    [
        (
            bounce("Permanent", {"status": "5.1.1", "diagnosticCode": "550 5.1.1 ada@shop.de unknown"}),
            Report(Kind.BOUNCED, ID, "ses", permanent=True, enhanced="5.1.1", detail="550 5.1.1 <address> unknown"),
        ),
        (
            bounce("Permanent", {"emailAddress": "ada@shop.de"}),
            Report(Kind.BOUNCED, ID, "ses", permanent=True, enhanced="5.1.1"),
        ),
        (
            bounce("Transient", {"status": "4.2.2"}),
            Report(Kind.BOUNCED, ID, "ses", permanent=False, enhanced="4.2.2"),
        ),
        (event("Complaint", complaint={}), Report(Kind.COMPLAINED, ID, "ses")),
        (event("Delivery"), Report(Kind.DELIVERED, ID, "ses")),
        (event("DeliveryDelay"), Report(Kind.DELAYED, ID, "ses")),
    ],
)
def test_what_it_says_is_read(web: Web, version: str, said: dict[str, Any], report: Report) -> None:
    assert told(web, call(said, version)) == Told([report])
    assert web.asked == [CERTIFICATE]


@pytest.mark.parametrize("said", [event("Open"), event("Bounce"), {"eventType": "Bounce"}, [], "x", None])
def test_what_is_not_understood_is_counted(web: Web, said: Any) -> None:
    assert told(web, call(said)) == Told([], 1)


def test_a_certificate_is_fetched_once(web: Web) -> None:
    ses = Ses(web.fetch)
    for _ in range(3):
        assert asyncio.run(ses.told(call(event("Delivery")), TOPIC)).reports
    assert web.asked == [CERTIFICATE]


def test_its_subscription_is_confirmed(web: Web) -> None:
    asking = {"Type": "SubscriptionConfirmation", "Token": "abc", "SubscribeURL": SUBSCRIBE}
    assert told(web, call("x", **asking)) == Told()
    assert web.asked == [CERTIFICATE, SUBSCRIBE]
    with pytest.raises(Invalid):
        told(web, call("x", **asking | {"SubscribeURL": SUBSCRIBE + "&gone"}))


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/?x",
        "https://evil.example/?sns.eu-west-1.amazonaws.com",
        "https://sns.eu-west-1.amazonaws.com.evil.example/",
        "https://sns.eu-west-1.amazonaws.com@evil.example/",
        "https://sns.eu-west-1.amazonaws.com:8443/",
        "https://169.254.169.254/",
        "https://s3.eu-west-1.amazonaws.com/",
        "",
    ],
)
def test_nothing_is_fetched_elsewhere(web: Web, url: str) -> None:
    asking = {"Type": "SubscriptionConfirmation", "Token": "abc", "SubscribeURL": url}
    with pytest.raises(Unauthenticated):
        told(web, call("x", **asking))
    assert web.asked == [CERTIFICATE]
    with pytest.raises(Unauthenticated):
        told(web, call(event("Delivery"), SigningCertURL=url + "SimpleNotificationService-0123456789abcdef.pem"))
    assert web.asked == [CERTIFICATE]


@pytest.mark.parametrize(
    "changes",
    [
        {"Signature": ""},
        {"Signature": "!"},
        {"Signature": base64.b64encode(b"x" * 256).decode()},
        {"Signature": 5},
        {"SignatureVersion": "3"},
        {"TopicArn": TOPIC + "x"},
        {"SigningCertURL": CERTIFICATE.replace("0123", "9999")},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/uploads/mine.pem"},
    ],
)
def test_nobody_else_is_believed(web: Web, changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        told(web, call(event("Complaint"), **changes))
    assert refusal.value.code == "invalid_signature"


def test_a_changed_message_is_refused(web: Web) -> None:
    good = call(event("Delivery"))
    with pytest.raises(Unauthenticated):
        told(web, Call(good.headers, good.body.replace(b"Delivery", b"Complaint")))


def test_the_secret_is_a_topic(web: Web) -> None:
    ses = Ses(web.fetch)
    ses.check_secret(TOPIC)
    for secret in ("", "arn:aws:sqs:eu-west-1:123456789012:x", "bounces"):
        with pytest.raises(Invalid):
            ses.check_secret(secret)


def test_who_names_certificates_without_end_is_stopped(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: 30.0))
    vendor = Ses(web.fetch)

    async def named(number: int) -> Told:
        return await vendor.told(call({}, SigningCertURL=CERTIFICATE.replace("0123", f"{number:04x}")), TOPIC)

    for number in range(1, FETCHES_PER_MINUTE + 1):
        with pytest.raises(Unauthenticated):
            asyncio.run(named(number))
    with pytest.raises(RateExceeded):
        asyncio.run(named(77))
    assert len(web.asked) == FETCHES_PER_MINUTE
