"""Webhooks on the real ledger, against a receiver that says what it is told to."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook

from postroom.identity import DELIVERY, NOTIFICATION, public_id
from tests.channels.webhook.outcomes import attempts, delivery, due_again
from tests.fixtures.database import Tenants
from tests.fixtures.receiver import Reaction, Receiver
from tests.fixtures.rows import change, notification
from tests.fixtures.webhooks import Exchange


async def test_a_message_arrives_signed_and_is_accounted_for(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    one = await exchange.message(tenants.alice)
    [plan] = await exchange.carry(tenants.alice)
    assert plan.counts == {"sent": 1}
    [request] = receiver.received
    told = Webhook(revealed.secret).verify(request.body, request.headers)
    sent = await delivery(exchange, one)
    assert told["id"] == request.headers["webhook-id"] == public_id(DELIVERY, sent["id"])
    assert told["type"] == "notification.message"
    assert told["data"]["notification_id"] == public_id(NOTIFICATION, one)
    assert told["data"]["content"] == {"text": "A word from us.", "html": None}
    assert told["data"]["metadata"]["order"] == "A-1"
    assert (sent["state"], sent["provider"]) == ("accepted", "127.0.0.1")
    [_, answered] = await attempts(exchange, one)
    assert (answered["code"], answered["detail"]) == (200, "accepted: thanks")
    assert answered["latency_ms"] >= 0


async def test_a_retry_sends_the_same_bytes_under_the_same_id(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    receiver.react("/hook", Reaction(500), Reaction(200))
    one = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    assert (await delivery(exchange, one))["state"] == "deferred"
    text = "UPDATE notification_contents SET body_text = 'Something else.' WHERE notification_id = %s"
    await change(exchange.database, text, one)
    await due_again(exchange, one)
    await exchange.carry(tenants.alice)
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert Webhook(revealed.secret).verify(second.body, second.headers)
    assert (await notification(exchange.database, one))["state"] == "sent"


@pytest.mark.parametrize(
    ("reaction", "told"),
    [
        (Reaction(500, body=b"boom"), ("receiver_error", 500)),
        (Reaction(404), ("receiver_refused", 404)),
        (Reaction(301, [("Location", "http://127.0.0.1/")]), ("redirect_refused", 301)),
        (Reaction(429), ("receiver_busy", 429)),
        (Reaction(502), ("receiver_unavailable", 502)),
        (Reaction(wait=5), ("no_answer", None)),
        (Reaction(hang_up=True), ("no_answer", None)),
        (Reaction(raw=b"what?\r\n\r\n"), ("protocol_error", None)),
    ],
)
async def test_what_is_not_2xx_is_tried_again_by_the_plan(
    exchange: Exchange, tenants: Tenants, reaction: Reaction, told: tuple[str, int | None]
) -> None:
    reason, code = told
    await exchange.endpoint(tenants.alice)
    exchange.receiver.react("/hook", reaction)
    one = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    row = await delivery(exchange, one)
    assert (row["state"], row["reason"], row["attempt"]) == ("deferred", reason, 1)
    answered = (await attempts(exchange, one))[-1]
    assert (answered["event"], answered["code"]) == ("deferred", code)
    assert answered["latency_ms"] is not None
    wait = row["not_before"] - row["marked_at"]
    assert timedelta(seconds=59) < wait < timedelta(seconds=70)


@pytest.mark.parametrize("as_date", [True, False])
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured_for_the_message_and_its_neighbours(
    exchange: Exchange,
    tenants: Tenants,
    status: int,
    as_date: bool,  # noqa: FBT001
) -> None:
    await exchange.endpoint(tenants.alice)
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    exchange.receiver.react("/hook", Reaction(status, [("Retry-After", moment if as_date else "600")]))
    first = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    row = await delivery(exchange, first)
    assert timedelta(seconds=590) < row["not_before"] - row["marked_at"] < timedelta(seconds=610)
    second = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    row = await delivery(exchange, second)
    assert (row["state"], row["attempt"], row["reason"]) == ("pending", 0, "receiver_busy")
    assert len(exchange.receiver.received) == 1


async def test_an_absurd_retry_after_is_cut(exchange: Exchange, receiver: Receiver, tenants: Tenants) -> None:
    await exchange.endpoint(tenants.alice)
    receiver.react("/hook", Reaction(503, [("Retry-After", "999999999")]))
    one = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    row = await delivery(exchange, one)
    assert row["not_before"] - row["marked_at"] < timedelta(hours=24, seconds=5)


async def test_what_the_receiver_says_is_kept_without_secrets(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    echo = f"<script>{revealed.secret} v1,abc= ada@shop.example\r\n\0 {'x' * 9_000}".encode()
    receiver.react("/hook", Reaction(400, body=echo))
    one = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    detail = (await attempts(exchange, one))[-1]["detail"]
    assert detail.startswith("receiver_refused: <script><secret> <secret> <address> xxx")
    assert len(detail) < 600


async def test_another_tenants_endpoint_is_none(exchange: Exchange, receiver: Receiver, tenants: Tenants) -> None:
    await exchange.endpoint(tenants.decoy)
    one = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    assert (await notification(exchange.database, one))["reason"] == "no_such_endpoint"
    assert receiver.received == []


async def test_both_secrets_sign_while_one_replaces_the_other(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    old = await exchange.endpoint(tenants.alice)
    new = await exchange.endpoints.rotate(tenants.alice.id, old.endpoint.id, None)
    assert new.secret != old.secret
    await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    [request] = receiver.received
    for secret in (old.secret, new.secret):
        assert Webhook(secret).verify(request.body, request.headers)
    assert len(request.headers["webhook-signature"].split(" ")) == 2


async def test_after_the_overlap_the_new_secret_signs_alone(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    old = await exchange.endpoint(tenants.alice)
    await exchange.endpoints.rotate(tenants.alice.id, old.endpoint.id, None)
    await change(
        exchange.database, "UPDATE webhook_endpoints SET old_secret_until = now() WHERE id = %s", old.endpoint.id
    )
    await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    assert " " not in receiver.received[0].headers["webhook-signature"]
