"""Webhooks on a real engine: carried, waited for, told about, while a dead receiver waits beside them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from temporalio.client import Client

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database, open_database
from postroom.local.postgres import EmbeddedPostgres
from postroom.loops import end
from postroom.relay.sweeper import sweep_rounds
from tests.fixtures.cluster import copied_database
from tests.fixtures.database import POOL_SIZES, make_tenants
from tests.fixtures.engine import free_port, running
from tests.fixtures.receiver import Reaction, Receiver, receiving
from tests.fixtures.rows import Draft, accepted, deliveries, notification
from tests.fixtures.waiting import until
from tests.fixtures.webhooks import QUICK, Exchange, exchanging, internal

FAST = replace(
    QUICK,
    retry_first=timedelta(seconds=0.3),
    retry_second=timedelta(seconds=0.3),
    outage_first=timedelta(seconds=0.2),
    outage_last=timedelta(seconds=0.4),
    place_pause=timedelta(seconds=0.1),
    poke_backoff=timedelta(seconds=0.5),
    relay_poll=timedelta(seconds=0.1),
    sweep_every=timedelta(seconds=0.5),
)


@pytest.fixture(scope="module")
async def own_database(cluster: EmbeddedPostgres) -> AsyncIterator[Database]:
    with copied_database(cluster) as url:
        async with open_database(url, POOL_SIZES) as database:
            yield database


@pytest.fixture
async def exchange(own_database: Database, engine: Client) -> AsyncIterator[Exchange]:
    async with (
        receiving() as receiver,
        exchanging(own_database, receiver, FAST) as opened,
        running(engine, own_database, FAST, opened.outfit.channels) as house,
    ):
        stopping = asyncio.Event()
        relay = asyncio.create_task(house.relay.run(asyncio.Event(), stopping))
        sweeper = asyncio.create_task(sweep_rounds(own_database, FAST))
        try:
            yield opened
        finally:
            stopping.set()
            await relay
            await end(sweeper)


async def ended(exchange: Exchange, one: UUID) -> str:
    async def over() -> bool:
        return bool((await notification(exchange.database, one))["state"] != "open")

    await until(over, 20)
    return str((await notification(exchange.database, one))["state"])


async def test_a_dead_receiver_waits_and_comes_back_while_others_are_served(exchange: Exchange) -> None:
    alice = (await make_tenants(exchange.database)).alice
    port = free_port()
    dead = f"http://127.0.0.1:{port}/hook"
    for url in (dead, "/hook"):
        await exchange.endpoint(alice, url)
    waiting = [await exchange.message(alice, dead) for _ in range(3)]
    going = [await exchange.message(alice) for _ in range(3)]
    assert [await ended(exchange, one) for one in going] == ["sent"] * 3
    await asyncio.sleep(1)
    assert [(await deliveries(exchange.database, one))[0]["attempt"] for one in waiting] == [0] * 3
    back = Receiver(dead)
    server = await asyncio.start_server(back.accept, "127.0.0.1", port)
    assert [await ended(exchange, one) for one in waiting] == ["sent"] * 3
    assert len(back.received) == 3
    server.close()


async def test_a_refused_message_is_retried_and_its_end_is_told(exchange: Exchange) -> None:
    alice = (await make_tenants(exchange.database)).alice
    await exchange.endpoint(alice)
    await exchange.endpoint(alice, "/events", events=("notification.sent",))
    exchange.receiver.react("/hook", Reaction(500), Reaction(503), Reaction(204, body=b""))
    one = await exchange.message(alice)
    assert await ended(exchange, one) == "sent"
    assert len({request.headers["webhook-id"] for request in exchange.receiver.to("/hook")}) == 1

    async def told() -> bool:
        return bool(exchange.receiver.to("/events"))

    await until(told, 20)
    [event] = await internal(exchange.database, alice)
    assert await ended(exchange, event["id"]) == "sent"


async def test_an_event_follows_a_message_of_another_channel(exchange: Exchange) -> None:
    tenants = await make_tenants(exchange.database)
    await exchange.endpoint(tenants.alice, "/mine", events=("notification.sent",))
    await exchange.endpoint(tenants.decoy, "/theirs", events=("notification.sent",))
    one = await accepted(exchange.database, Draft(tenants.alice.id, channels=(ChannelKind.IN_APP,)))
    assert await ended(exchange, one) == "sent"

    async def told() -> bool:
        return bool(exchange.receiver.to("/mine"))

    await until(told, 20)
    assert exchange.receiver.to("/theirs") == []
