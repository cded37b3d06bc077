"""What policy does to a claim, on the real ledger."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.deliveries.ledger import Ledger
from postroom.policy.reconsidering import reconsidered
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.ledger import claimed
from tests.fixtures.rows import Draft, change, deliveries, rows
from tests.policy.people import Desk, around, choose, know, wish

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
QUIET: dict[str, Any] = {"time_zone": "UTC", "quiet_hours": around(datetime.now(UTC), HOUR, 3 * HOUR)}
LONG = timedelta(days=2)
OFF = """
INSERT INTO preferences (tenant_id, user_id, notification_type, channel, enabled) VALUES (%s, 'ada', %s, '*', false)
"""
TYPE = """
INSERT INTO notification_types (tenant_id, name, group_name, class) VALUES (%s, 'receipt', 'billing', 'transactional')
"""
LIST = """
INSERT INTO suppressions (tenant_id, channel, address_hash, scope, reason)
SELECT tenant_id, channel, address_hash, %s, 'unsubscribed' FROM deliveries WHERE notification_id = %s
"""


@pytest.fixture
def desk(database: Database, tenants: Tenants) -> Desk:
    return Desk(database, tenants.alice.id)


async def test_quiet_hours_let_a_message_wait_and_tell_it_once(desk: Desk) -> None:
    await know(desk.database, desk.tenant_id, **QUIET)
    [one] = await desk.accept(Draft(desk.tenant_id, life=LONG))
    plan = await desk.run(one)
    assert await desk.stands(one) == ("pending", "quiet_hours")
    end = QUIET["quiet_hours"]["end"]
    assert plan.story == f"quiet hours until {end} UTC"
    assert plan.wait is not None
    assert 2 * HOUR < plan.wait <= 3 * HOUR
    await change(desk.database, "UPDATE deliveries SET not_before = now() WHERE notification_id = %s", one)
    assert (await desk.run(one)).story == plan.story
    [told] = await desk.told(one)
    assert (told["kind"], told["reason"], told["detail"]["zone"]) == ("deferred_by_policy", "quiet_hours", "UTC")
    [delivery] = await deliveries(desk.database, one)
    assert (delivery["attempt"], delivery["not_before"]) == (0, datetime.fromisoformat(told["detail"]["until"]))


async def test_urgent_messages_go_at_night_and_say_what_they_passed(desk: Desk) -> None:
    await know(desk.database, desk.tenant_id, **QUIET)
    code = await desk.go(Draft(desk.tenant_id, message_class="security"))
    alarm = await desk.go(Draft(desk.tenant_id, priority=1))
    offer = await desk.go(Draft(desk.tenant_id, priority=1, message_class="marketing"))
    assert [await desk.stands(one) for one in (code, alarm, offer)] == [
        ("accepted", "accepted"),
        ("accepted", "accepted"),
        ("pending", "quiet_hours"),
    ]
    assert [(await desk.told(one))[0]["reason"] for one in (code, alarm)] == ["security", "critical"]
    assert (await desk.told(code))[0]["detail"] == {"channel": "in_app", "bypassed": ["quiet_hours"]}


async def test_nothing_was_bypassed_by_day(desk: Desk) -> None:
    await know(desk.database, desk.tenant_id, time_zone="UTC", quiet_hours={"enabled": False})
    code = await desk.go(Draft(desk.tenant_id, message_class="security"))
    assert await desk.stands(code) == ("accepted", "accepted")
    assert await desk.told(code) == []


async def test_send_now_ends_a_wait_but_not_a_refusal(desk: Desk) -> None:
    await know(desk.database, desk.tenant_id, **QUIET)
    one = await desk.go(Draft(desk.tenant_id, life=LONG))
    await change(desk.database, "UPDATE notifications SET send_now = true, due_at = now() WHERE id = %s", one)
    await change(desk.database, "UPDATE deliveries SET not_before = now() WHERE notification_id = %s", one)
    await desk.run(one)
    assert await desk.stands(one) == ("accepted", "accepted")
    assert [event["reason"] for event in await desk.told(one)] == ["quiet_hours", "send_now"]


async def test_a_preference_changed_while_it_waits_counts(desk: Desk) -> None:
    await know(desk.database, desk.tenant_id, **QUIET)
    both = [Draft(desk.tenant_id, life=LONG)] * 2
    wanted, unwanted = [await desk.go(draft, kind=kind) for draft, kind in zip(both, ("receipt", "news"), strict=True)]
    assert await desk.stands(wanted) == await desk.stands(unwanted) == ("pending", "quiet_hours")
    async with reconsidered(desk.database, desk.tenant_id, "ada") as connection:
        await connection.execute("UPDATE contacts SET quiet_hours = '{\"enabled\": false}'")
        await connection.execute(OFF, (desk.tenant_id, "news"))
    for one in (wanted, unwanted):
        await desk.run(one)
    assert await desk.stands(wanted) == ("accepted", "accepted")
    assert await desk.stands(unwanted) == ("skipped", "unsubscribed")
    told = (await desk.told(unwanted))[-1]
    assert (told["kind"], told["detail"]) == ("skipped", {"channel": "in_app", "because": "news"})


async def test_an_unsubscription_after_the_claim_is_seen_by_the_mark(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), Timing())
    async with reconsidered(database, tenants.alice.id, "ada") as connection:
        await connection.execute(OFF, (tenants.alice.id, "*"))
    assert not await bench.ledger.mark(bench.claim, None, "inbox")
    desk = Desk(database, tenants.alice.id)
    await desk.run(bench.notification_id)
    assert await desk.stands(bench.notification_id) == ("skipped", "unsubscribed")


@pytest.mark.parametrize(
    ("scope", "stopped"),
    [("all", True), ("transactional", True), ("type:receipt", True), ("group:billing", True), ("marketing", False)],
)
async def test_claim_and_mark_ask_the_lists_by_scope(desk: Desk, scope: str, stopped: bool) -> None:  # noqa: FBT001
    await change(desk.database, TYPE, desk.tenant_id)
    [one] = await desk.accept(Draft(desk.tenant_id), kind="receipt")
    claim = await desk.claim(one)
    [delivery] = await deliveries(desk.database, one)
    assert delivery["scopes"] == ["all", "transactional", "type:receipt", "group:billing"]
    await change(desk.database, LIST, scope, one)
    assert await Ledger(desk.database, desk.timing, "t").mark(claim, None, "inbox") is not stopped
    [other] = await desk.accept(Draft(desk.tenant_id), kind="receipt")
    await desk.run(other)
    assert await desk.stands(other) == (("skipped", "unsubscribed") if stopped else ("accepted", "accepted"))


async def test_whoever_is_written_to_becomes_a_contact(desk: Desk) -> None:
    await know(desk.database, desk.tenant_id)
    for user_id, address in (("ada", "other@example.org"), ("new", "new@EXAMPLE.org")):
        draft = Draft(desk.tenant_id, user_id, (ChannelKind.EMAIL,), metadata={"email": address})
        [one] = await desk.accept(draft)
        await desk.claim(one, ChannelKind.EMAIL)
    await desk.go(Draft(desk.tenant_id, "reader"))
    statement = "SELECT user_id, addresses FROM contacts WHERE tenant_id = %s ORDER BY user_id"
    assert await rows(desk.database, statement, desk.tenant_id) == [
        {"user_id": "ada", "addresses": {"email": "ada@example.org"}},
        {"user_id": "new", "addresses": {"email": "new@example.org"}},
        {"user_id": "reader", "addresses": {}},
    ]


async def test_the_turn_of_a_channel_stands_still_at_night(desk: Desk) -> None:
    await know(desk.database, desk.tenant_id, **QUIET)
    both = (ChannelKind.IN_APP, ChannelKind.EMAIL)
    one = await desk.go(Draft(desk.tenant_id, channels=both, life=LONG, fallback=timedelta(minutes=10)))
    [delivery] = await deliveries(desk.database, one)
    assert delivery["expires_at"] - delivery["not_before"] == timedelta(minutes=10)


async def test_what_is_accepted_and_claimed_while_the_person_unsubscribes_is_seen_by_the_mark_too(desk: Desk) -> None:
    async with reconsidered(desk.database, desk.tenant_id, "ada") as connection:
        await connection.execute(OFF, (desk.tenant_id, "*"))
        [one] = await desk.accept(Draft(desk.tenant_id, life=LONG))
        claim = await desk.claim(one)
    assert not await Ledger(desk.database, desk.timing, "t").mark(claim, None, "inbox")
    await desk.run(one)
    assert await desk.stands(one) == ("skipped", "unsubscribed")


async def test_a_pause_holds_until_the_person_ends_it(desk: Desk) -> None:
    await know(desk.database, desk.tenant_id, paused_until="infinity")
    [one] = await desk.accept(Draft(desk.tenant_id, life=HOUR))
    plan = await desk.run(one)
    assert await desk.stands(one) == ("pending", "paused")
    assert plan.wait is not None
    assert plan.wait <= HOUR
    async with reconsidered(desk.database, desk.tenant_id, "ada") as connection:
        await connection.execute("UPDATE contacts SET paused_until = NULL")
    await desk.run(one)
    assert await desk.stands(one) == ("accepted", "accepted")


async def test_a_page_that_waits_for_the_morning_goes_back_to_the_relay(desk: Desk) -> None:
    await choose(desk.database, desk.tenant_id, QUIET)
    many = await desk.accept(*(Draft(desk.tenant_id, user_id=f"user{n}", life=LONG) for n in range(30)))
    assert (await desk.run(many[0])).closed
    found = await rows(
        desk.database,
        "SELECT count(*) AS count FROM notifications WHERE carrier_id IS NULL AND due_at > now() AND tenant_id = %s",
        desk.tenant_id,
    )
    assert found == [{"count": 30}]


async def test_a_digest_keeps_a_message_without_taking_a_place(desk: Desk) -> None:
    await wish(desk.database, desk.tenant_id, "ada receipt *", frequency="daily")
    [one] = await desk.accept(Draft(desk.tenant_id, life=LONG), kind="receipt")
    plan = await desk.run(one)
    assert await desk.stands(one) == ("pending", "digest")
    assert plan.closed, "what waits in a digest needs no workflow of its own"
    assert (await desk.told(one))[0]["reason"] == "digest"
    used = await rows(desk.database, "SELECT sent_at FROM contact_usage WHERE tenant_id = %s", desk.tenant_id)
    assert used in ([], [{"sent_at": []}])
