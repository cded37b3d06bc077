"""Signatures that the reference library of the specification verifies, and forgeries that it does not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from postroom.webhooks.signing import new_secret, signed_headers

BODY = '{"title": "Grüße"}'.encode()


def test_each_secret_verifies() -> None:
    secrets = [new_secret(), new_secret()]
    headers = signed_headers("dlv_1", BODY, secrets)
    assert headers["webhook-id"] == "dlv_1"
    for secret in secrets:
        assert Webhook(secret).verify(BODY, headers) == {"title": "Grüße"}


def test_the_timestamp_is_now_whatever_zone_this_machine_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    headers = signed_headers("dlv_1", BODY, [new_secret()])
    said = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert abs(datetime.now(UTC) - said) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("changed", "body"),
    [
        ({}, BODY + b" "),
        ({"webhook-id": "dlv_2"}, BODY),
        ({"webhook-timestamp": str(int((datetime.now(UTC) - timedelta(minutes=10)).timestamp()))}, BODY),
        ({"webhook-signature": "v1,AAAA"}, BODY),
    ],
)
def test_what_was_changed_or_replayed_late_is_refused(changed: dict[str, Any], body: bytes) -> None:
    secret = new_secret()
    headers = signed_headers("dlv_1", BODY, [secret]) | changed
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)


def test_another_tenants_secret_verifies_nothing() -> None:
    headers = signed_headers("dlv_1", BODY, [new_secret()])
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_a_late_capture_with_its_own_old_signature_is_refused() -> None:
    secret, then = new_secret(), datetime.now(UTC) - timedelta(minutes=10)
    headers = {
        "webhook-id": "dlv_1",
        "webhook-timestamp": str(int(then.timestamp())),
        "webhook-signature": Webhook(secret).sign("dlv_1", then, BODY.decode()),
    }
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(BODY, headers)
