"""An endpoint that is gone, or fails for days, is disabled, and its messages end."""

import asyncio
import json
from datetime import datetime

from postroom.webhooks.service import Change
from tests.channels.webhook.outcomes import delivery, due_again
from tests.fixtures.database import Tenants
from tests.fixtures.receiver import Reaction, Receiver
from tests.fixtures.rows import change, notification, rows
from tests.fixtures.webhooks import Exchange, internal


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
