"""Tests and replays: through the ordinary ledger, under the webhook-ids of the first time."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from postroom.errors import Conflict, Invalid, NotFound
from postroom.identity import DELIVERY, new_id, public_id
from postroom.notifications.request import IdempotencyKey
from postroom.webhooks.replaying import Selection
from postroom.webhooks.service import Change
from tests.fixtures.database import Tenants
from tests.fixtures.receiver import Reaction, Receiver
from tests.fixtures.rows import change, deliveries, notification
from tests.fixtures.webhooks import Exchange, internal

KEY = IdempotencyKey("again", b"h" * 32)


def lately() -> Selection:
    now = datetime.now(UTC)
    return Selection(since=now - timedelta(minutes=5), until=now + timedelta(minutes=1))


async def carried(exchange: Exchange, tenants: Tenants) -> UUID:
    """A message that arrived."""
    one = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    return one


async def rejected(exchange: Exchange, tenants: Tenants) -> UUID:
    """A message whose plan was used up."""
    exchange.receiver.react("/hook", Reaction(500))
    one = await exchange.message(tenants.alice)
    for _ in range(4):
        await exchange.carry(tenants.alice)
        await change(exchange.database, "UPDATE deliveries SET not_before = now() WHERE notification_id = %s", one)
    assert (await notification(exchange.database, one))["state"] == "failed"
    exchange.receiver.react("/hook", Reaction(200))
    return one


async def test_a_test_event_has_a_timeline_of_its_own(exchange: Exchange, receiver: Receiver, tenants: Tenants) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    tested = await exchange.replays.test(tenants.alice.id, revealed.endpoint.id, KEY)
    again = await exchange.replays.test(tenants.alice.id, revealed.endpoint.id, KEY)
    assert (again.notification_id, again.again) == (tested.notification_id, True)
    await exchange.carry(tenants.alice)
    [request] = receiver.received
    assert Webhook(revealed.secret).verify(request.body, request.headers)["type"] == "webhook_endpoint.test"
    assert (await notification(exchange.database, tested.notification_id))["state"] == "sent"


async def test_what_a_template_never_said_is_not_replayed(exchange: Exchange, tenants: Tenants) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    one, endpoint = await rejected(exchange, tenants), revealed.endpoint.id
    speak = "UPDATE notification_contents SET template_id = uuidv7(), template_version = 1 WHERE notification_id = %s"
    await change(exchange.database, speak, one)
    assert (await exchange.replays.replay(tenants.alice.id, endpoint, lately(), None)).count == 1
    forget = "DELETE FROM delivery_messages USING deliveries d WHERE d.id = delivery_id AND d.notification_id = %s"
    await change(exchange.database, forget, one)
    assert (await exchange.replays.replay(tenants.alice.id, endpoint, lately(), None)).count == 0
    [delivery] = await deliveries(exchange.database, one)
    with pytest.raises(NotFound):
        await exchange.replays.replay(tenants.alice.id, endpoint, Selection(delivery_id=delivery["id"]), None)


async def test_one_delivery_is_sent_again_as_it_was(exchange: Exchange, receiver: Receiver, tenants: Tenants) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    one = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    delivery = (await deliveries(exchange.database, one))[0]["id"]
    replayed = await exchange.replays.replay(
        tenants.alice.id, revealed.endpoint.id, Selection(delivery_id=delivery), None
    )
    assert replayed.count == 1
    await exchange.carry(tenants.alice)
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert Webhook(revealed.secret).verify(second.body, second.headers)


async def test_a_span_brings_back_what_failed_and_on_request_all(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    failed = await rejected(exchange, tenants)
    await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    receiver.received.clear()
    replayed = await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, lately(), KEY)
    again = await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, lately(), KEY)
    assert (replayed.count, again.count, again.id) == (1, 1, replayed.id)
    await exchange.carry(tenants.alice)
    [request] = receiver.received
    assert json.loads(request.body)["data"]["notification_id"].endswith(failed.hex)
    everything = replace(lately(), everything=True)
    assert (await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, everything, None)).count == 2
    assert len(await internal(exchange.database, tenants.alice, "replay")) == 3


async def test_what_never_went_out_is_made_from_its_words(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    one = await exchange.message(tenants.alice)
    state = {"state": "disabled"}
    await exchange.endpoints.change(tenants.alice.id, revealed.endpoint.id, Change(state))
    await exchange.carry(tenants.alice)
    assert (await notification(exchange.database, one))["state"] == "skipped"
    with pytest.raises(Conflict, match="disabled"):
        await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, lately(), None)
    await exchange.endpoints.change(tenants.alice.id, revealed.endpoint.id, Change({"state": "enabled"}))
    assert (await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, lately(), None)).count == 1
    await exchange.carry(tenants.alice)
    told = json.loads(receiver.received[0].body)
    assert told["type"] == "notification.message"
    assert told["data"]["content"]["text"] == "A word from us."
    assert told["data"]["notification_id"].endswith(one.hex)
    first = (await deliveries(exchange.database, one))[0]["id"]
    assert told["id"] == receiver.received[0].headers["webhook-id"] == public_id(DELIVERY, first)


async def test_a_replay_of_a_replay_is_still_the_first(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    which = (await deliveries(exchange.database, await carried(exchange, tenants)))[0]["id"]
    for _ in range(2):
        selection = Selection(delivery_id=which)
        await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, selection, None)
        await exchange.carry(tenants.alice)
        newest = (await internal(exchange.database, tenants.alice, "replay"))[-1]["id"]
        which = (await deliveries(exchange.database, newest))[0]["id"]
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert len(receiver.received) == 3


async def test_nothing_of_another_tenant_or_endpoint_comes_back(exchange: Exchange, tenants: Tenants) -> None:
    mine = await exchange.endpoint(tenants.alice)
    other = await exchange.endpoint(tenants.alice, "/other")
    theirs = await exchange.endpoint(tenants.decoy)
    one = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    delivery = (await deliveries(exchange.database, one))[0]["id"]
    everything = replace(lately(), everything=True)
    assert (await exchange.replays.replay(tenants.decoy.id, theirs.endpoint.id, everything, None)).count == 0
    assert (await exchange.replays.replay(tenants.alice.id, other.endpoint.id, everything, None)).count == 0
    for tenant_id, endpoint_id, which in (
        (tenants.decoy.id, theirs.endpoint.id, delivery),
        (tenants.decoy.id, mine.endpoint.id, delivery),
        (tenants.alice.id, other.endpoint.id, delivery),
        (tenants.alice.id, mine.endpoint.id, new_id()),
    ):
        with pytest.raises(NotFound):
            await exchange.replays.replay(tenant_id, endpoint_id, Selection(delivery_id=which), None)


async def test_what_is_open_is_not_sent_twice(exchange: Exchange, receiver: Receiver, tenants: Tenants) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    receiver.react("/hook", Reaction(500))
    one = await exchange.message(tenants.alice)
    await exchange.carry(tenants.alice)
    delivery = (await deliveries(exchange.database, one))[0]["id"]
    with pytest.raises(Conflict, match="not ended"):
        await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, Selection(delivery_id=delivery), None)


@pytest.mark.parametrize("days", [-1, 0, 31])
async def test_a_span_has_bounds(exchange: Exchange, tenants: Tenants, days: int) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    now = datetime.now(UTC)
    selection = Selection(since=now, until=now + timedelta(days=days))
    with pytest.raises(Invalid):
        await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, selection, None)


async def test_a_batch_of_one_moment_comes_back_whole_and_once(
    exchange: Exchange, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom.webhooks.replaying.MOST", 2)
    revealed = await exchange.endpoint(tenants.alice)
    first = [await exchange.message(tenants.alice) for _ in range(4)]
    later = await exchange.message(tenants.alice)
    together = "UPDATE notifications SET created_at = now() - interval '1 minute' WHERE id = ANY(%s)"
    await change(exchange.database, together, first)
    ended = "UPDATE deliveries SET state = 'failed' WHERE notification_id = ANY(%s)"
    await exchange.carry(tenants.alice)
    await change(exchange.database, ended, [*first, later])

    span = lately()
    begun = await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, span, KEY)
    again = await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, span, KEY)
    assert (begun.count, begun.until) == (again.count, again.until)
    assert begun.count == 4
    rest = replace(span, since=begun.until)
    assert (await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, rest, None)).count == 1
    replayed = [one["data"]["notification_id"] for one in await internal(exchange.database, tenants.alice, "replay")]
    assert sorted(replayed) == sorted(str(one) for one in [*first, later])


async def test_what_a_contact_named_comes_back_too(exchange: Exchange, tenants: Tenants) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    contact = "INSERT INTO contacts (tenant_id, user_id, addresses) VALUES (%s, 'ada', %s::jsonb)"
    await change(exchange.database, contact, tenants.alice.id, json.dumps({"webhook": exchange.receiver.url()}))
    one = await exchange.message(tenants.alice, user_id="ada", metadata={})
    await exchange.endpoints.change(tenants.alice.id, revealed.endpoint.id, Change({"state": "disabled"}))
    await exchange.carry(tenants.alice)
    assert (await notification(exchange.database, one))["reason"] == "endpoint_disabled"
    await exchange.endpoints.change(tenants.alice.id, revealed.endpoint.id, Change({"state": "enabled"}))
    assert (await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, lately(), None)).count == 1


async def test_what_was_cancelled_stays_so(exchange: Exchange, tenants: Tenants) -> None:
    revealed = await exchange.endpoint(tenants.alice)
    delivery = (await deliveries(exchange.database, await carried(exchange, tenants)))[0]["id"]
    await change(exchange.database, "UPDATE deliveries SET state = 'cancelled' WHERE id = %s", delivery)
    with pytest.raises(Conflict, match="cancelled already"):
        await exchange.replays.replay(tenants.alice.id, revealed.endpoint.id, Selection(delivery_id=delivery), None)
