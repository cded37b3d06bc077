"""Control actions as a caller meets them; what they do to the rows is tested with the protocol."""

from datetime import UTC, datetime, timedelta
from typing import Any

from postroom.database.engine import Database
from postroom.identity import NOTIFICATION, parse_id
from tests.api.conftest import Caller, problem


async def hand_off(database: Database, caller: Caller, notification: str) -> None:
    async with database.tenant_transaction(caller.tenant.id) as connection:
        await connection.execute(
            "INSERT INTO deliveries (tenant_id, notification_id, position, channel, state, expires_at, lease_until) "
            "SELECT tenant_id, id, 0, 'email', 'handing_off', expires_at, now() + interval '1 hour' "
            "FROM notifications WHERE id = %s",
            (parse_id(NOTIFICATION, notification),),
        )


async def test_cancelled_before_anything_was_handed_off(alice: Caller) -> None:
    one = await alice.sent(delay=60)
    answer = await alice.post(f"/notifications/{one}/cancel")
    assert answer.status_code == 200
    assert (answer.json()["outcome"], answer.json()["status"]) == ("cancelled", "cancelled")
    again = await alice.post(f"/notifications/{one}/cancel")
    assert problem(again) == (409, "already_final", [])


async def test_cancelling_while_it_is_handed_off(alice: Caller, database: Database) -> None:
    one = await alice.sent()
    await hand_off(database, alice, one)
    answer = await alice.post(f"/notifications/{one}/cancel")
    assert (answer.status_code, answer.json()["outcome"], answer.json()["status"]) == (202, "cancelling", "cancelling")


async def test_rescheduled(alice: Caller) -> None:
    one = await alice.sent(delay=60)
    later = datetime.now(UTC) + timedelta(minutes=30)
    answer = await alice.post(f"/notifications/{one}/reschedule", {"scheduled_at": later.isoformat()})
    assert (answer.status_code, answer.json()["status"]) == (200, "scheduled")
    assert datetime.fromisoformat(answer.json()["due_at"]) == later
    kinds = [entry["kind"] for entry in (await alice.get(f"/notifications/{one}/timeline"))["entries"]]
    assert kinds == ["accepted", "rescheduled"]


async def test_a_time_to_live_that_nobody_named_moves_along(alice: Caller) -> None:
    for one in (await alice.sent(delay=3600, **{"class": "security"}), await alice.sent(**{"class": "security"})):
        before = await alice.get(f"/notifications/{one}")
        for days in ("P3D", "P300D", "PT1M"):
            assert (await alice.post(f"/notifications/{one}/reschedule", {"delay": days})).status_code == 200
            after = await alice.get(f"/notifications/{one}")
            assert life(after) == life(before)


def life(notification: Any) -> timedelta:
    expires_at, due_at = (datetime.fromisoformat(notification[name]) for name in ("expires_at", "due_at"))
    return expires_at - due_at


async def test_what_cannot_be_rescheduled(alice: Caller, database: Database) -> None:
    one = await alice.sent()
    path = f"/notifications/{one}/reschedule"
    assert problem(await alice.post(path, {})) == (422, "schedule_required", [""])
    assert problem(await alice.post(path, {"scheduled_at": "2020-01-01T00:00:00Z"}))[1] == "scheduled_in_past"
    named = await alice.sent(expires_at=(datetime.now(UTC) + timedelta(hours=2)).isoformat())
    assert problem(await alice.post(f"/notifications/{named}/reschedule", {"delay": "PT3H"}))[1] == "after_expiry"
    assert problem(await alice.post(path, {"delay": 5, "why": "x"}))[1] == "unknown_field"
    await hand_off(database, alice, one)
    assert problem(await alice.post(path, {"delay": 5})) == (409, "in_flight", [])


async def test_sent_now(alice: Caller, database: Database) -> None:
    one = await alice.sent(delay=600)
    answer = await alice.post(f"/notifications/{one}/send-now")
    assert (answer.status_code, answer.json()["outcome"], answer.json()["status"]) == (200, "due", "pending")
    await hand_off(database, alice, one)
    answer = await alice.post(f"/notifications/{one}/send-now")
    assert (answer.status_code, answer.json()["outcome"], answer.json()["status"]) == (202, "noted", "sending")


async def test_only_what_failed_is_retried(alice: Caller, database: Database) -> None:
    one = await alice.sent()
    assert problem(await alice.post(f"/notifications/{one}/retry")) == (409, "not_failed", [])
    async with database.tenant_transaction(alice.tenant.id) as connection:
        await connection.execute("UPDATE notifications SET state = 'failed', ended_at = now()")
    answer = await alice.post(f"/notifications/{one}/retry")
    assert (answer.status_code, answer.json()["outcome"], answer.json()["status"]) == (200, "open", "pending")


async def test_a_control_action_needs_no_body_and_takes_json_only(alice: Caller) -> None:
    one = await alice.sent()
    path = f"/api/v1/notifications/{one}/cancel"
    assert problem(await alice.wire.post(path, content=b"x"))[0] == 415
    assert (await alice.wire.post(path, json={})).status_code == 200
