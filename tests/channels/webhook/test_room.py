"""A receiver that is away, slow or over its rate makes its own messages wait, and costs its neighbours nothing."""

from tests.channels.webhook.outcomes import delivery
from tests.fixtures.database import Tenants
from tests.fixtures.engine import free_port
from tests.fixtures.receiver import Reaction, Receiver
from tests.fixtures.rows import change, notification, rows
from tests.fixtures.webhooks import Exchange


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
