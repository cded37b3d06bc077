"""Each provider proves itself in its own way, and what it says is read; anybody else is refused."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks import Webhook

from postroom.channels.base import DETAIL_LIMIT
from postroom.errors import Invalid, Unauthenticated
from postroom.feedback.report import Kind, Report
from postroom.feedback.vendors.base import Call, Told, Vendor
from postroom.feedback.vendors.mailgun import Mailgun
from postroom.feedback.vendors.postmark import Postmark
from postroom.feedback.vendors.sendgrid import SendGrid
from postroom.feedback.vendors.signed import Signed
from postroom.identity import DELIVERY, public_id

ID = UUID("019a9f3c-2b7e-7d1f-8a4c-5b6d7e8f9a0b")
OURS = f"{ID.hex}@postroom.example"
KEY = ec.generate_private_key(ec.SECP256R1())
KEY_TEXT = base64.b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
WHSEC = "whsec_" + base64.b64encode(b"s" * 32).decode()


def sendgrid_call(*events: dict[str, Any]) -> Call:
    body = json.dumps([{"smtp-id": f"<{OURS}>", "email": "ada@shop.de"} | event for event in events]).encode()
    proof = base64.b64encode(KEY.sign(b"1795204800" + body, ec.ECDSA(SHA256()))).decode()
    return Call(
        {"x-twilio-email-event-webhook-signature": proof, "x-twilio-email-event-webhook-timestamp": "1795204800"}, body
    )


def mailgun_call(event: dict[str, Any]) -> Call:
    proof = hmac.new(b"k" * 32, b"1795204800token", hashlib.sha256).hexdigest()
    said = {
        "signature": {"timestamp": "1795204800", "token": "token", "signature": proof},
        "event-data": {"message": {"headers": {"message-id": OURS}}, "recipient": "ada@shop.de"} | event,
    }
    return Call({}, json.dumps(said).encode())


def postmark_call(event: dict[str, Any]) -> Call:
    said = {"Email": "ada@shop.de", "Metadata": {"message_id": OURS}} | event
    return Call({"authorization": "Basic " + base64.b64encode(b"user:pass").decode()}, json.dumps(said).encode())


def signed_call(*events: dict[str, Any]) -> Call:
    body = json.dumps({"events": events})
    now = datetime.now(UTC)
    signature = Webhook(WHSEC).sign("msg_1", now, body)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    return Call(headers, body.encode())


@dataclass(frozen=True, slots=True)
class Side:
    """One provider as it proves itself here."""

    vendor: Vendor
    secret: str
    call: Callable[..., Call]

    def told(self, call: Call) -> Told:
        return asyncio.run(self.vendor.told(call, self.secret))


SENDGRID = Side(SendGrid(), KEY_TEXT, sendgrid_call)
MAILGUN = Side(Mailgun(), "k" * 32, mailgun_call)
POSTMARK = Side(Postmark(), "user:pass", postmark_call)
SIGNED = Side(Signed(), WHSEC, signed_call)
SIDES = (SENDGRID, MAILGUN, POSTMARK, SIGNED)


def bounce(source: str, enhanced: str | None, detail: str | None, *, permanent: bool = True) -> Report:
    return Report(Kind.BOUNCED, ID, source, permanent, enhanced, detail)


@pytest.mark.parametrize(
    ("side", "event", "report"),
    [
        (
            SENDGRID,
            {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 <ada@shop.de> unknown"},
            bounce("sendgrid", "5.1.1", "550 5.1.1 <address> unknown"),
        ),
        (
            SENDGRID,
            {"event": "bounce", "type": "blocked", "reason": "unable to get mx info"},
            bounce("sendgrid", None, "unable to get mx info", permanent=False),
        ),
        (SENDGRID, {"event": "delivered"}, Report(Kind.DELIVERED, ID, "sendgrid")),
        (SENDGRID, {"event": "spamreport"}, Report(Kind.COMPLAINED, ID, "sendgrid")),
        (SENDGRID, {"event": "group_unsubscribe"}, Report(Kind.UNSUBSCRIBED, ID, "sendgrid")),
        (
            MAILGUN,
            {
                "event": "failed",
                "severity": "permanent",
                "delivery-status": {"code": 550, "enhanced-code": "5.1.1", "message": "No such user"},
            },
            bounce("mailgun", "5.1.1", "No such user"),
        ),
        (
            MAILGUN,
            {"event": "failed", "severity": "temporary", "delivery-status": {"message": "4.2.2 full"}},
            Report(Kind.DELAYED, ID, "mailgun", permanent=False, enhanced="4.2.2"),
        ),
        (MAILGUN, {"event": "complained"}, Report(Kind.COMPLAINED, ID, "mailgun")),
        (
            POSTMARK,
            {"RecordType": "Bounce", "Type": "HardBounce", "Details": "smtp;550 unknown"},
            bounce("postmark", "5.1.1", "smtp;550 unknown"),
        ),
        (
            POSTMARK,
            {"RecordType": "Bounce", "Type": "SoftBounce", "Details": "smtp;452 4.2.2 full"},
            bounce("postmark", "4.2.2", "smtp;452 4.2.2 full", permanent=False),
        ),
        (POSTMARK, {"RecordType": "SpamComplaint"}, Report(Kind.COMPLAINED, ID, "postmark")),
        (
            POSTMARK,
            {"RecordType": "SubscriptionChange", "SuppressSending": True, "Origin": "Recipient"},
            Report(Kind.UNSUBSCRIBED, ID, "postmark"),
        ),
        (
            SIGNED,
            {"delivery_id": public_id(DELIVERY, ID), "kind": "bounced", "permanent": True, "enhanced": "5.1.1"},
            bounce("signed", "5.1.1", None),
        ),
        (SIGNED, {"message_id": f"<{OURS}>", "kind": "complained"}, Report(Kind.COMPLAINED, ID, "signed")),
    ],
)
def test_what_is_said_is_read(side: Side, event: dict[str, Any], report: Report) -> None:
    assert side.told(side.call(event)) == Told([report])


@pytest.mark.parametrize(
    ("side", "event"),
    [
        (SENDGRID, {"event": "processed"}),
        (SENDGRID, {"event": "delivered", "smtp-id": "<theirs@other.example>"}),
        (SENDGRID, {"event": ["bounce"], "smtp-id": 5}),
        (MAILGUN, {"event": "opened"}),
        (MAILGUN, {"event": "failed", "message": None}),
        (MAILGUN, {"event": None}),
        (POSTMARK, {"RecordType": "Open"}),
        (POSTMARK, {"RecordType": "SubscriptionChange", "SuppressSending": True, "Origin": "Admin"}),
        (POSTMARK, {"RecordType": "Bounce", "Metadata": None}),
        (SIGNED, {"message_id": OURS, "kind": "opened"}),
        (SIGNED, {"delivery_id": "dlv_x", "kind": "bounced"}),
        (SIGNED, {"message_id": OURS, "kind": ["bounced"]}),
    ],
)
def test_what_is_not_understood_is_counted(side: Side, event: dict[str, Any]) -> None:
    told = side.told(side.call(event))
    assert (list(told.reports), told.ignored) == ([], 1)


@pytest.mark.parametrize(
    "words", ["\0" * 5_000, "x" * 200_000, "5." * 100_000, "<" * 50_000, "ada@shop.de " * 9_000, "\u202e\x07\x85"]
)
@pytest.mark.parametrize("side", SIDES)
def test_hostile_words_become_words_that_can_be_kept(side: Side, words: str) -> None:
    """A tenant may sign whatever it likes with its own secret."""
    said = {
        "event": "bounce" if side is SENDGRID else "failed", "severity": "permanent", "status": words, "reason": words,
        "type": words, "delivery-status": {"message": words, "enhanced-code": words, "description": words},
        "RecordType": "Bounce", "Type": "HardBounce", "Details": words, "Description": words,
        "message_id": OURS, "kind": "bounced", "permanent": True, "enhanced": words, "detail": words,
    }  # fmt: skip
    [report] = side.told(side.call(said)).reports
    detail = report.detail or ""
    assert (report.delivery_id, report.kind, len(detail) <= DETAIL_LIMIT) == (ID, Kind.BOUNCED, True)
    assert "\0" not in detail
    assert "ada@" not in detail
    assert report.enhanced is None or len(report.enhanced) <= 9


@pytest.mark.parametrize("side", SIDES)
def test_nobody_else_is_believed(side: Side) -> None:
    good = side.call({"event": "delivered", "RecordType": "Delivery"})
    bare = replace(good, headers={}, body=b'{"event-data": {}}')
    forged = {name: value[:-4] + "AAAA" for name, value in good.headers.items()}
    for call in (bare, replace(bare, body=b'{"signature": {"timestamp": "", "token": "", "signature": ""}}')):
        with pytest.raises(Unauthenticated) as refusal:
            side.told(call)
        assert refusal.value.code == "invalid_signature"
    if good.headers:
        with pytest.raises(Unauthenticated):
            side.told(replace(good, headers=forged))


@pytest.mark.parametrize("side", [SENDGRID, SIGNED])
def test_a_changed_body_is_refused(side: Side) -> None:
    good = side.call({"event": "delivered"})
    with pytest.raises(Unauthenticated):
        side.told(replace(good, body=good.body.replace(b"delivered", b"spamreport")))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_told_so(body: bytes) -> None:
    proof = base64.b64encode(KEY.sign(b"1" + body, ec.ECDSA(SHA256()))).decode()
    names = ("x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp")
    for side, call in (
        (SENDGRID, Call(dict(zip(names, (proof, "1"), strict=True)), body)),
        (POSTMARK, replace(postmark_call({}), body=body)),
        (MAILGUN, Call({}, body)),
    ):
        with pytest.raises(Invalid) as refusal:
            side.told(call)
        assert refusal.value.code == "malformed_json"


@pytest.mark.parametrize(
    ("side", "secret"),
    [
        (SENDGRID, "no key"),
        (SENDGRID, base64.b64encode(b"no key").decode()),
        (MAILGUN, "short"),
        (POSTMARK, "user"),
        (POSTMARK, ":pass"),
        (SIGNED, "secret"),
        (SIGNED, "whsec_!"),
    ],
)
def test_a_secret_that_proves_nothing_is_refused(side: Side, secret: str) -> None:
    side.vendor.check_secret(side.secret)
    with pytest.raises(Invalid) as refusal:
        side.vendor.check_secret(secret)
    assert refusal.value.code == "invalid_secret"
