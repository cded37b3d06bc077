"""Hand-offs that a crash, a late mark or a cancellation cut short: nothing is lost, or goes out under another id."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from postroom.channels.base import Parcel
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.identity import ENDPOINT, new_id, public_id
from tests.channels.webhook.outcomes import attempts, delivery
from tests.fixtures.database import Tenants
from tests.fixtures.receiver import Reaction, Receiver
from tests.fixtures.rows import change, notification
from tests.fixtures.webhooks import QUICK, Exchange, exchanging


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
