"""What the house tells endpoints by itself: written with the end it tells of, carried like everything else."""

import json
from contextlib import suppress
from typing import Any
from uuid import UUID

from standardwebhooks import Webhook

from postroom.contracts.vocabulary import ChannelKind
from postroom.deliveries.settling import correct_some, settle
from postroom.identity import NOTIFICATION, public_id
from postroom.notifications.control import Control
from postroom.notifications.reading import Reading
from postroom.notifications.record import Filters
from postroom.relay.sweeping import sweep
from postroom.timing import Timing
from postroom.webhooks.models import EventType
from postroom.webhooks.outgoing import HEARD
from tests.docs.pages import page
from tests.fixtures.database import Tenants
from tests.fixtures.receiver import Reaction, Receiver
from tests.fixtures.rows import Draft, accepted, change, rows
from tests.fixtures.webhooks import Exchange, internal


class Undo(Exception):
    """Ends a transaction without a trace."""


ALL = tuple(map(str, EventType))


async def told(exchange: Exchange, tenants: Tenants) -> list[tuple[str, Any]]:
    return [(row["type"], row["data"].get("reason")) for row in await internal(exchange.database, tenants.alice)]


async def test_an_end_is_told_signed_and_once_to_each_that_wants_it(
    exchange: Exchange, receiver: Receiver, tenants: Tenants
) -> None:
    revealed = await exchange.endpoint(tenants.alice, "/all", events=ALL)
    await exchange.endpoint(tenants.alice, "/failures", events=("notification.failed",))
    await exchange.endpoint(tenants.decoy, "/decoy", events=ALL)
    one = await accepted(exchange.database, Draft(tenants.alice.id))
    await exchange.carry(tenants.alice, ChannelKind.IN_APP)
    await exchange.carry(tenants.alice)
    [request] = receiver.received
    event = Webhook(revealed.secret).verify(request.body, request.headers)
    assert (request.path, event["type"]) == ("/all", "notification.sent")
    assert event["data"]["notification_id"] == public_id(NOTIFICATION, one)
    assert (event["data"]["status"], event["data"]["user_id"]) == ("sent", "ada")
    [in_the_guide] = [json.loads(block) for block in page("docs/api.md").blocks("json") if '"timestamp"' in block]
    assert set(event) == set(in_the_guide)
    assert set(event["data"]) == set(in_the_guide["data"])
    assert await internal(exchange.database, tenants.decoy) == []


async def test_no_event_is_told_of_an_event(exchange: Exchange, receiver: Receiver, tenants: Tenants) -> None:
    await exchange.endpoint(tenants.alice, events=ALL)
    await accepted(exchange.database, Draft(tenants.alice.id))
    await exchange.carry(tenants.alice, ChannelKind.IN_APP)
    await exchange.carry(tenants.alice)
    await exchange.carry(tenants.alice)
    assert await told(exchange, tenants) == [("notification.sent", "accepted")]
    assert len(receiver.received) == 1


async def test_every_end_is_told(exchange: Exchange, receiver: Receiver, tenants: Tenants) -> None:
    await exchange.endpoint(tenants.alice, events=ALL)
    control = Control(exchange.database, Timing())
    cancelled = await accepted(exchange.database, Draft(tenants.alice.id))
    await control.cancel(tenants.alice.id, cancelled)
    expired = await accepted(exchange.database, Draft(tenants.alice.id))
    over = "UPDATE notifications SET expires_at = now() - interval '1 s' WHERE id = %s"
    await change(exchange.database, over, expired)
    await exchange.carry(tenants.alice, ChannelKind.IN_APP)
    await exchange.endpoint(tenants.alice, "/gone")
    receiver.react("/gone", Reaction(410))
    await exchange.message(tenants.alice, "/gone")
    await exchange.message(tenants.alice, "/nowhere")
    await exchange.carry(tenants.alice)
    assert sorted(kind for kind, _ in await told(exchange, tenants)) == [
        "notification.cancelled",
        "notification.expired",
        "notification.failed",
        "notification.skipped",
        "webhook_endpoint.disabled",
    ]


async def test_late_evidence_is_told_too(exchange: Exchange, tenants: Tenants) -> None:
    await exchange.endpoint(tenants.alice, events=("notification.sent",))
    one = await accepted(exchange.database, Draft(tenants.alice.id))
    await exchange.carry(tenants.alice, ChannelKind.IN_APP)
    await change(exchange.database, "UPDATE notifications SET state = 'failed' WHERE id = %s", one)
    async with exchange.database.tenant_transaction(tenants.alice.id) as connection:
        assert await correct_some(connection, [one]) == {one}
    assert await told(exchange, tenants) == [("notification.sent", "accepted"), ("notification.sent", "late_evidence")]


async def test_an_end_and_its_event_are_one_transaction(exchange: Exchange, tenants: Tenants) -> None:
    await exchange.endpoint(tenants.alice, events=ALL)
    one = await accepted(exchange.database, Draft(tenants.alice.id))
    with suppress(Undo):
        async with exchange.database.tenant_transaction(tenants.alice.id) as connection:
            await connection.execute("UPDATE notifications SET cancel_requested = true WHERE id = %s", (one,))
            await settle(connection, [one])
            [written] = await (await connection.execute("SELECT count(*) AS n FROM webhook_messages")).fetchall()
            raise Undo
    assert written == {"n": 1}
    assert await told(exchange, tenants) == []


async def test_a_page_is_told_in_one_statement(exchange: Exchange, receiver: Receiver, tenants: Tenants) -> None:
    await exchange.endpoint(tenants.alice, events=ALL)
    for _ in range(60):
        await accepted(exchange.database, Draft(tenants.alice.id))
    await exchange.carry(tenants.alice, ChannelKind.IN_APP)
    assert await told(exchange, tenants) == [("notification.sent", "accepted")] * 60
    carried = await rows(
        exchange.database, "SELECT DISTINCT xmin::text FROM webhook_messages WHERE tenant_id = %s", tenants.alice.id
    )
    assert len(carried) == 1


async def test_where_nobody_listens_settling_probes_one_index(exchange: Exchange, tenants: Tenants) -> None:
    await exchange.endpoint(tenants.alice)
    await exchange.endpoint(tenants.decoy, events=ALL)
    async with exchange.database.tenant_transaction(tenants.alice.id) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT {HEARD} AS heard")
        assert "webhook_endpoints_tenant_id_url_key" in json.dumps(await plan.fetchall())
        [row] = await (await connection.execute(f"SELECT {HEARD} AS heard")).fetchall()
    assert row == {"heard": False}


async def test_the_sweeper_tells_tenants_apart(exchange: Exchange, tenants: Tenants) -> None:
    await exchange.endpoint(tenants.decoy, events=ALL)
    mine, theirs = [await accepted(exchange.database, Draft(one.id)) for one in (tenants.alice, tenants.decoy)]
    over = "UPDATE notifications SET expires_at = now() - interval '1 s' WHERE id = ANY(%s)"
    await change(exchange.database, over, [mine, theirs])
    await sweep(exchange.database)
    assert await told(exchange, tenants) == []
    assert [row["type"] for row in await internal(exchange.database, tenants.decoy)] == ["notification.expired"]


async def test_events_are_in_no_list(exchange: Exchange, tenants: Tenants) -> None:

    await exchange.endpoint(tenants.alice, events=ALL)
    one = await accepted(exchange.database, Draft(tenants.alice.id))
    await exchange.carry(tenants.alice, ChannelKind.IN_APP)
    page = await Reading(exchange.database).page(tenants.alice.id, Filters(), (None, 50))
    assert [summary.notification.id for summary in page.items] == [one]
    [event] = await internal(exchange.database, tenants.alice)
    assert (await Reading(exchange.database).timeline(tenants.alice.id, UUID(str(event["id"])))).entries
