"""What the sweeper mends: each fault is made in the rows and then swept."""

from postroom.database.engine import Database
from postroom.notifications.control import Control
from postroom.relay.sweeping import sweep
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.ledger import ACCEPTED, claimed
from tests.fixtures.rows import Draft, accepted, change, notification, rows

TIMING = Timing()


async def test_a_hand_off_whose_lease_ended_is_unknown_and_its_carrier_owed(
    database: Database, tenants: Tenants
) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.ledger.mark(bench.claim, None, "inbox")
    await change(database, "UPDATE carriers SET owed = false WHERE id = %s", bench.carrier_id)
    await bench.set("lease_until = now() - interval '1 s'")
    await sweep(database)
    row = await notification(database, bench.notification_id)
    assert (await bench.state(), row["ambiguous"], row["state"]) == ("unknown", True, "open")
    assert await rows(database, "SELECT owed FROM carriers WHERE id = %s", bench.carrier_id) == [{"owed": True}]


async def test_a_hand_off_within_its_lease_is_left_alone(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.ledger.mark(bench.claim, None, "inbox")
    await sweep(database)
    assert await bench.state() == "handing_off"


async def test_what_nobody_carried_in_time_expires(database: Database, tenants: Tenants) -> None:
    one = await accepted(database, Draft(tenants.alice.id))
    await change(database, "UPDATE notifications SET expires_at = now() WHERE id = %s", one)
    await sweep(database)
    row = await notification(database, one)
    assert (row["state"], row["reason"]) == ("expired", "expired")


async def test_a_marked_message_never_expires(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.ledger.mark(bench.claim, None, "inbox")
    await change(database, "UPDATE notifications SET expires_at = now() WHERE id = %s", bench.notification_id)
    await sweep(database)
    assert (await notification(database, bench.notification_id))["state"] == "open"
    assert await bench.state() == "handing_off"


async def test_acceptance_learned_after_the_end_corrects_it_once(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await bench.set("state = 'failed', reason = 'outcome_unknown', token = NULL")
    await change(
        database, "UPDATE notifications SET state = 'failed', ended_at = now() WHERE id = %s", bench.notification_id
    )
    await bench.ledger.record(bench.claim, ACCEPTED)
    await sweep(database)
    row = await notification(database, bench.notification_id)
    assert (row["state"], row["reason"]) == ("sent", "late_evidence")
    assert (await bench.delivery())["late"] is False


async def test_a_carrier_that_overslept_is_owed_a_look(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await change(
        database,
        "UPDATE carriers SET owed = false, wake_by = now() - interval '1 s' WHERE id = %s",
        bench.carrier_id,
    )
    await sweep(database)
    assert await rows(database, "SELECT owed FROM carriers WHERE id = %s", bench.carrier_id) == [{"owed": True}]


async def test_an_open_member_of_a_closed_carrier_is_called_out(database: Database, tenants: Tenants) -> None:
    bench = await claimed(database, Draft(tenants.alice.id), TIMING)
    await change(database, "UPDATE carriers SET state = 'closed' WHERE id = %s", bench.carrier_id)
    found = await sweep(database)
    assert found.abandoned == (f"notif_{bench.notification_id.hex}",)
    await change(database, "UPDATE carriers SET state = 'open' WHERE id = %s", bench.carrier_id)
    await Control(database, TIMING).cancel(tenants.alice.id, bench.notification_id)
