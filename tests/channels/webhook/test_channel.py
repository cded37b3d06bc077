"""Webhooks on the real ledger, against a receiver that says what it is told to."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from postroom.channels.base import Parcel
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.identity import DELIVERY, ENDPOINT, NOTIFICATION, new_id, public_id
from postroom.webhooks.service import Change
from tests.fixtures.database import Tenants
from tests.fixtures.engine import free_port
from tests.fixtures.receiver import Reaction, Receiver
from tests.fixtures.rows import change, deliveries, notification, rows
from tests.fixtures.webhooks import QUICK, Exchange, exchanging, internal


async def delivery(exchange: Exchange, one: UUID) -> dict[str, Any]:
    return (await deliveries(exchange.database, one))[0]


async def attempts(exchange: Exchange, one: UUID) -> list[dict[str, Any]]:
    statement = (
        "SELECT a.* FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id "
        "WHERE d.notification_id = %s ORDER BY a.id"
    )
    return await rows(exchange.database, statement, one)


async def due_again(exchange: Exchange, one: UUID) -> None:
    await change(exchange.database, "UPDATE deliveries SET not_before = now() WHERE notification_id = %s", one)


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


async def test_410_ends_the_message_and_disables_the_endpoint(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    gone = await exchange.endpoint(tenants.alice)
    watching = await exchange.endpoint(tenants.alice, "/watch", events=("webhook_endpoint.disabled",))
    receiver.react("/hook", Reaction(410))
    one = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    row = await notification(exchange.database, one)
    assert (row["state"], row["reason"]) == ("failed", "gone")
    endpoint = await exchange.endpoints.get(tenants.alice.id, gone.endpoint.id)
    assert (endpoint.state, endpoint.reason) == ("disabled", "gone")
    statement = "SELECT kind, reason FROM notification_events WHERE notification_id = %s"
    assert {"kind": "endpoint_disabled", "reason": "gone"} in await rows(exchange.database, statement, one)
    [told] = await internal(exchange.database, tenants.alice)
    assert (told["type"], told["endpoint_id"]) == ("webhook_endpoint.disabled", watching.endpoint.id)
    await exchange.carry(tenants.alice)
    [request] = receiver.to("/watch")
    assert json.loads(request.body)["data"]["reason"] == "gone"
    later = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    row = await notification(exchange.database, later)
    assert (row["state"], row["reason"]) == ("skipped", "endpoint_disabled")


async def test_a_410_of_the_old_url_says_nothing_of_the_new_one(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    receiver.react("/hook", Reaction(410, wait=0.3))
    one = await exchange.message(tenants.alice)
    sending = asyncio.create_task(exchange.carry(tenants.alice))
    while not receiver.received:  # noqa: ASYNC110 - the receiver sets no event
        await asyncio.sleep(0.01)
    await exchange.endpoints.change(tenants.alice.id, revealed.endpoint.id, Change({"url": receiver.url("/new")}))
    await sending
    assert (await notification(exchange.database, one))["reason"] == "gone"
    assert (await exchange.endpoints.get(tenants.alice.id, revealed.endpoint.id)).state == "enabled"


async def test_a_deferred_message_is_skipped_once_its_endpoint_is_disabled(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    receiver.react("/hook", Reaction(500))
    revealed = await exchange.endpoint(tenants.alice)
    one = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    await exchange.endpoints.remove(tenants.alice.id, revealed.endpoint.id)
    await due_again(exchange, one)
    await exchange.carry(tenants.alice)
    assert (await delivery(exchange, one))["reason"] == "no_such_endpoint"


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


async def test_a_dead_receiver_costs_its_messages_no_attempt_and_its_neighbours_nothing(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    dead = f"http://127.0.0.1:{free_port()}/hook"
    await exchange.endpoint(tenants.alice, dead)
    await exchange.endpoint(tenants.alice)
    waiting = [await exchange.message(tenants.alice, dead) for _ in range(30)]
    going = [await exchange.message(tenants.alice) for _ in range(5)]
    [plan] = await exchange.carry(tenants.alice)
    assert plan.counts == {"open": 30, "sent": 5}
    assert not plan.due
    assert len(receiver.received) == 5
    for one in going:
        assert (await notification(exchange.database, one))["state"] == "sent"
    for one in waiting:
        row = await delivery(exchange, one)
        assert (row["state"], row["attempt"], row["reason"]) == ("pending", 0, "destination_unreachable")
        told = "SELECT kind, reason FROM notification_events WHERE notification_id = %s"
        expected = [{"kind": "destination_wait", "reason": "destination_unreachable"}]
        assert await rows(exchange.database, told, one) == expected
    await change(exchange.database, "UPDATE deliveries SET not_before = now() WHERE tenant_id = %s", tenants.alice.id)
    await exchange.carry(tenants.alice)
    assert len(await rows(exchange.database, told, waiting[0])) == 1


async def test_a_slow_receiver_has_five_hand_offs_and_no_more(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    receiver.react("/slow", Reaction(wait=0.4))
    for path in ("/slow", "/hook"):
        await exchange.endpoint(tenants.alice, path)
    for path in ["/slow"] * 40 + ["/hook"] * 5:
        await exchange.message(tenants.alice, path)
    [plan] = await exchange.carry(tenants.alice)
    assert plan.counts["sent"] < 45
    assert len(receiver.to("/hook")) == 5
    assert receiver.most_open <= 10
    states = await rows(
        exchange.database, "SELECT DISTINCT state, attempt, reason FROM deliveries WHERE tenant_id = %s AND state = "
        "'pending'", tenants.alice.id,
    )  # fmt: skip
    assert states == [{"state": "pending", "attempt": 0, "reason": "destination_busy"}]


async def test_over_the_rate_it_waits_for_room(exchange: Exchange, receiver: Receiver, tenants: Tenants) -> None:
    await exchange.endpoint(tenants.alice, rate_per_minute=3)
    for _ in range(9):
        await exchange.message(tenants.alice)
    [plan] = await exchange.carry(tenants.alice)
    assert plan.counts == {"open": 6, "sent": 3}
    assert len(receiver.received) == 3
    waits = await rows(
        exchange.database,
        "SELECT extract(epoch FROM not_before - now()) AS wait, reason FROM deliveries "
        "WHERE tenant_id = %s AND state = 'pending' ORDER BY not_before",
        tenants.alice.id,
    )
    assert {row["reason"] for row in waits} == {"rate_limited"}
    assert [round(float(row["wait"]) / 60) for row in waits] == [1, 1, 1, 2, 2, 2]


async def test_days_of_failures_disable_and_one_success_forgives(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    receiver.react("/hook", Reaction(500), Reaction(200), Reaction(500))
    fared: list[datetime | None] = []
    for _ in range(3):
        await exchange.message(tenants.alice)
        await exchange.carry(tenants.alice)
        fared.append((await exchange.endpoints.get(tenants.alice.id, revealed.endpoint.id)).failing_since)
    assert [since is not None for since in fared] == [True, False, True]
    await change(
        exchange.database,
        "UPDATE webhook_endpoints SET failing_since = now() - interval '6 days' WHERE id = %s",
        revealed.endpoint.id,
    )
    await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    endpoint = await exchange.endpoints.get(tenants.alice.id, revealed.endpoint.id)
    assert (endpoint.state, endpoint.reason) == ("disabled", "failing")


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


async def test_a_hand_off_that_a_crash_left_open_is_sent_again_under_the_same_id(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    await exchange.endpoint(tenants.alice)
    receiver.react("/hook", Reaction(500), Reaction(200))
    one = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    await change(
        exchange.database,
        "UPDATE deliveries SET state = 'handing_off', lease_until = now() - interval '1 s' WHERE notification_id = %s",
        one,
    )
    await exchange.carry(tenants.alice)
    row = await notification(exchange.database, one)
    assert (row["state"], (await delivery(exchange, one))["resends"]) == ("sent", 0)
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_what_would_follow_its_mark_too_late_stays_here(
    database: Database, receiver: Receiver, tenants: Tenants
) -> None:
    async with exchanging(database, receiver, replace(QUICK, mark_to_body=timedelta(0))) as exchange:
        await exchange.endpoint(tenants.alice)
        one = await exchange.message(tenants.alice)
        [plan] = await exchange.carry(tenants.alice)
    assert plan.due
    assert receiver.received == []
    assert (await delivery(exchange, one))["state"] == "pending"
    assert [attempt["event"] for attempt in await attempts(exchange, one)] == ["marked"]


async def test_cancelled_after_the_mark_the_answer_is_still_recorded(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    answering = asyncio.Event()
    receiver.react("/hook", Reaction(until=answering))
    await exchange.endpoint(tenants.alice)
    one = await exchange.message(tenants.alice)
    sending = asyncio.create_task(exchange.carry(tenants.alice))
    while not receiver.received:  # noqa: ASYNC110 - the receiver sets no event
        await asyncio.sleep(0.01)
    sending.cancel()
    await asyncio.sleep(0)
    answering.set()
    await asyncio.gather(sending, return_exceptions=True)
    assert sending.cancelled()
    assert (await delivery(exchange, one))["state"] == "accepted"


async def test_cancelled_while_the_mark_is_written_nothing_is_sent(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    asked = asyncio.Event()

    async def mark(_message: bytes | None, _provider: str) -> bool:
        asked.set()
        await asyncio.Event().wait()
        return True

    address = public_id(ENDPOINT, revealed.endpoint.id)
    parcel = Parcel(new_id(), new_id(), tenants.alice.id, address, "", datetime.now(UTC))
    handing = asyncio.create_task(exchange.outfit.channels[ChannelKind.WEBHOOK].hand_off(parcel, mark))
    await asked.wait()
    handing.cancel()
    await asyncio.wait({handing})
    assert handing.cancelled()
    assert receiver.received == []
