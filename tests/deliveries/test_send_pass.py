"""A send pass, from due to settled, on the real ledger."""

import asyncio
from datetime import timedelta
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.deliveries.locking import lock_carried
from postroom.deliveries.waiting import release
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.house import gather, outfit, pass_over, send
from tests.fixtures.ledger import claimed
from tests.fixtures.rows import Draft, accepted, change, deliveries, notification, rows

TIMING = Timing()


async def carrier_of(database: Database, notification_id: UUID) -> UUID:
    return UUID(str((await notification(database, notification_id))["carrier_id"]))


async def test_a_due_notification_ends_sent_and_its_carrier_closes(database: Database, tenants: Tenants) -> None:
    one = await accepted(database, Draft(tenants.alice.id))
    await gather(database, TIMING, tenants.alice.id)
    carrier = await carrier_of(database, one)
    plan = await send(outfit(database, TIMING), pass_over(tenants.alice.id, carrier))
    assert plan.closed
    assert plan.counts == {"sent": 1}
    row = await notification(database, one)
    assert (row["state"], row["reason"]) == ("sent", "accepted")
    assert [d["state"] for d in await deliveries(database, one)] == ["accepted"]
    events = await rows(
        database,
        "SELECT a.event FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id "
        "WHERE d.notification_id = %s ORDER BY a.id",
        one,
    )
    assert [event["event"] for event in events] == ["marked", "accepted"]
    inbox = await rows(database, "SELECT user_id FROM inbox_messages WHERE notification_id = %s", one)
    assert inbox == [{"user_id": "ada"}]


async def test_no_address_falls_back_to_the_next_channel(database: Database, tenants: Tenants) -> None:
    one = await accepted(database, Draft(tenants.alice.id, channels=(ChannelKind.EMAIL, ChannelKind.IN_APP)))
    await gather(database, TIMING, tenants.alice.id)
    carrier = await carrier_of(database, one)
    first = await send(outfit(database, TIMING), pass_over(tenants.alice.id, carrier, ChannelKind.EMAIL))
    assert [(due.channel, due.count) for due in first.due] == [(ChannelKind.IN_APP, 1)]
    second = await send(outfit(database, TIMING), pass_over(tenants.alice.id, carrier))
    assert second.closed
    assert [(d["state"], d["reason"]) for d in await deliveries(database, one)] == [
        ("skipped", "no_address"),
        ("accepted", "accepted"),
    ]


async def test_expired_before_its_pass_is_named_so(database: Database, tenants: Tenants) -> None:
    one = await accepted(database, Draft(tenants.alice.id))
    await gather(database, TIMING, tenants.alice.id)
    await change(database, "UPDATE notifications SET expires_at = now() - interval '1 s' WHERE id = %s", one)
    plan = await send(outfit(database, TIMING), pass_over(tenants.alice.id, await carrier_of(database, one)))
    assert plan.counts == {"expired": 1}
    assert (await notification(database, one))["reason"] == "expired"


async def test_a_page_of_many_ends_in_one_pass(database: Database, tenants: Tenants) -> None:
    many = [await accepted(database, Draft(tenants.alice.id, user_id=f"user{n}")) for n in range(30)]
    await gather(database, TIMING, tenants.alice.id)
    carriers = {await carrier_of(database, one) for one in many}
    assert len(carriers) == 1
    plan = await send(outfit(database, TIMING), pass_over(tenants.alice.id, carriers.pop()))
    assert plan.counts == {"sent": 30}


async def test_what_waits_shares_the_carrier_of_its_minute(database: Database, tenants: Tenants) -> None:
    drafts = [Draft(tenants.alice.id, delay=timedelta(days=1, seconds=n / 1000)) for n in range(3)]
    early = [await accepted(database, draft) for draft in drafts[:2]]
    await gather(database, TIMING, tenants.alice.id)
    late = await accepted(database, drafts[2])
    await gather(database, TIMING, tenants.alice.id)
    seen = {await carrier_of(database, one) for one in [*early, late]}
    assert len(seen) <= 2  # two only when the minute turned between them
    plan = await send(outfit(database, TIMING), pass_over(tenants.alice.id, await carrier_of(database, late)))
    assert not plan.closed
    assert plan.wait is not None
    assert timedelta(hours=23, minutes=59) < plan.wait <= timedelta(days=1, seconds=1)


async def test_a_release_waits_for_nobody_who_joined_after_its_locks(database: Database, tenants: Tenants) -> None:
    drafts = [Draft(tenants.alice.id) for _ in range(3)]
    known, other, joining = [(await claimed(database, draft, TIMING)) for draft in drafts]
    together = "UPDATE notifications SET carrier_id = %s WHERE id = %s"
    await change(database, together, known.carrier_id, other.notification_id)
    await change(database, "UPDATE carriers SET size = 3 WHERE id = %s", known.carrier_id)
    for bench in (known, other, joining):
        await bench.set("state = 'pending', not_before = now() + interval '1 day'")
    async with database.tenant_transaction(tenants.alice.id) as connection:
        ids = await lock_carried(connection, known.carrier_id)
        await change(database, together, known.carrier_id, joining.notification_id)
        async with asyncio.timeout(5), database.system_transaction() as held:
            await held.execute("SELECT FROM notifications WHERE id = %s FOR UPDATE", (joining.notification_id,))
            assert await release(connection, known.carrier_id, ids, TIMING.release_after) == 2


async def test_a_pass_learns_at_once_what_the_one_before_it_got_through(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.ledger.mark(bench.claim, None, "inbox")
    statement = (
        "INSERT INTO inbox_messages (tenant_id, user_id, notification_id, delivery_id) VALUES (%s, 'ada', %s, %s)"
    )
    await change(database, statement, tenants.alice.id, bench.notification_id, bench.claim.delivery_id)
    plan = await send(outfit(database, TIMING), pass_over(tenants.alice.id, bench.carrier_id))
    assert plan.closed
    assert (await bench.delivery())["reason"] == "evidence_found"


async def test_absence_says_nothing_while_a_hand_off_may_still_be_alive(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.ledger.mark(bench.claim, None, "inbox")
    await bench.set("marked_at = now() - interval '9 min'")
    plan = await send(outfit(database, TIMING), pass_over(tenants.alice.id, bench.carrier_id))
    assert await bench.state() == "handing_off"
    assert plan.wait is not None
