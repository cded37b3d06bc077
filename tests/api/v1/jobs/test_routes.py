"""A job as a caller meets it: counted, listed, cancelled and retried as a whole."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from postroom.database.engine import Database
from postroom.identity import JOB, parse_id
from tests.api.conftest import Caller, problem
from tests.api.v1.notifications.test_batch import batch, people, sums

HAND_OFF = """
INSERT INTO deliveries (tenant_id, notification_id, position, channel, state, expires_at, lease_until, not_before)
SELECT tenant_id, id, 0, channel, %(state)s, expires_at, now() + interval '1 hour', now() FROM notifications
WHERE id = ANY(%(ids)s)
"""


async def begun(caller: Caller, count: int, **changes: Any) -> str:
    """A job of so many people."""
    answer = await caller.post("/notifications/batch", batch(user_ids=people(count), **changes))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


async def members(database: Database, job: str) -> list[UUID]:
    async with database.system_transaction() as connection:
        statement = "SELECT id FROM notifications WHERE job_id = %s ORDER BY id"
        return [row["id"] async for row in await connection.execute(statement, (parse_id(JOB, job),))]


async def hand_off(database: Database, ids: Sequence[UUID], state: str) -> None:
    async with database.system_transaction() as connection:
        await connection.execute(HAND_OFF, {"ids": list(ids), "state": state})


async def end(database: Database, ids: Sequence[UUID], state: str, reason: str) -> None:
    async with database.system_transaction() as connection:
        await connection.execute(
            "UPDATE notifications SET state = %s, reason = %s, ended_at = now() WHERE id = ANY(%s)",
            (state, reason, list(ids)),
        )


async def test_every_state_is_counted_and_the_word_follows(alice: Caller, database: Database) -> None:
    job = await begun(alice, 10)
    ids = await members(database, job)
    ends = [("sent", "accepted"), ("skipped", "no_address"), ("failed", "mailbox_unknown"), ("expired", "expired")]
    for position, (state, reason) in enumerate(ends):
        await end(database, ids[position * 2 : position * 2 + 2], state, reason)
        now = await alice.get(f"/jobs/{job}")
        assert sums(now)
        assert (now["status"], now["counts"][state]) == ("processing", 2)
    await end(database, ids[8:], "cancelled", "cancelled")
    now = await alice.get(f"/jobs/{job}")
    assert (now["status"], now["counts"]["cancelled"], sums(now)) == ("completed", 2, True)


async def test_failures_come_in_the_order_of_the_request_page_by_page(alice: Caller, database: Database) -> None:
    job = await begun(alice, 30)
    ids = await members(database, job)
    await end(database, ids[0:7], "failed", "mailbox_unknown")
    await end(database, ids[7:14], "skipped", "no_address")
    await end(database, ids[14:20], "sent", "accepted")
    await end(database, ids[20:21], "expired", "expired")
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 4}
    while True:
        page = await alice.get(f"/jobs/{job}/failures", **query)
        found += page["items"]
        if not page["next_cursor"]:
            break
        query["cursor"] = page["next_cursor"]
    assert [one["user_id"] for one in found] == [f"user_{number}" for number in [*range(14), 20]]
    assert [one["notification_id"] for one in found] == [f"notif_{one.hex}" for one in [*ids[:14], ids[20]]]
    assert {(one["state"], one["reason"]) for one in found} == {
        ("failed", "mailbox_unknown"),
        ("skipped", "no_address"),
        ("expired", "expired"),
    }
    other = await begun(alice, 1)
    foreign = await alice.wire.get(f"/api/v1/jobs/{other}/failures", params=query)
    assert problem(foreign) == (422, "invalid_cursor", [])


async def test_jobs_are_listed_newest_first(alice: Caller, decoy: Caller) -> None:
    await begun(decoy, 1)
    made = [await begun(alice, count) for count in (1, 2, 3)]
    first = await alice.get("/jobs", limit=2)
    assert [(one["job_id"], one["total"]) for one in first["items"]] == [(made[2], 3), (made[1], 2)]
    rest = await alice.get("/jobs", limit=2, cursor=first["next_cursor"])
    assert [one["job_id"] for one in rest["items"]] == [made[0]]
    assert rest["next_cursor"] is None
    assert all(sums(one) for one in [*first["items"], *rest["items"]])


async def test_cancelling_what_is_left_of_it(alice: Caller, decoy: Caller, database: Database) -> None:
    job, neighbour, foreign = await begun(alice, 600), await begun(alice, 3), await begun(decoy, 3)
    ids = await members(database, job)
    await end(database, ids[:100], "sent", "accepted")
    await hand_off(database, ids[100:110], "handing_off")
    await hand_off(database, ids[110:120], "accepted")  # a provider has them; nobody settled them yet
    await hand_off(database, ids[120:130], "claimed")
    await hand_off(database, ids[130:140], "deferred")
    answer = await alice.post(f"/jobs/{job}/cancel")
    assert answer.status_code == 202, answer.text
    done = answer.json()
    assert done["outcome"] == {"cancelled": 480, "cancelling": 10, "too_late": 10}
    assert (done["status"], done["counts"]["cancelled"], done["counts"]["open"]) == ("processing", 480, 20)
    assert sums(done)
    async with database.system_transaction() as connection:
        statement = "SELECT state, count(*) AS n FROM deliveries WHERE notification_id = ANY(%s) GROUP BY state"
        states = {row["state"]: row["n"] async for row in await connection.execute(statement, (ids,))}
    assert states == {"handing_off": 10, "accepted": 10, "cancelled": 20}
    kinds = [entry["kind"] for entry in (await alice.get(f"/notifications/notif_{ids[100].hex}/timeline"))["entries"]]
    assert kinds == ["accepted", "cancel_requested"]
    again = (await alice.post(f"/jobs/{job}/cancel")).json()
    assert again["outcome"] == {"cancelled": 0, "cancelling": 10, "too_late": 10}
    assert (await alice.get(f"/jobs/{neighbour}"))["counts"]["open"] == 3
    assert (await decoy.get(f"/jobs/{foreign}"))["counts"]["open"] == 3


async def test_a_cancelled_job_says_so_once_nothing_is_open(alice: Caller, database: Database) -> None:
    job, gone = await begun(alice, 3, delay=60), await begun(alice, 2)
    answer = await alice.post(f"/jobs/{job}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert problem(await alice.post(f"/jobs/{job}/cancel")) == (409, "already_final", [])
    await end(database, await members(database, gone), "sent", "accepted")
    assert problem(await alice.post(f"/jobs/{gone}/cancel")) == (409, "already_final", [])
    assert (await alice.get(f"/jobs/{gone}"))["status"] == "completed"


async def test_a_carrier_is_owed_a_look_at_what_was_cancelled(alice: Caller, database: Database) -> None:
    job = await begun(alice, 3)
    async with database.system_transaction() as connection:
        rows = await connection.execute(
            "INSERT INTO carriers (tenant_id, workflow_id, priority, channel, kind, size, owed, wake_by) "
            "VALUES (%s, 'w', 3, 'email', 'page', 3, false, now() + interval '1 hour') RETURNING id",
            (alice.tenant.id,),
        )
        [carrier] = [row["id"] async for row in rows]
        await connection.execute(
            "UPDATE notifications SET carrier_id = %s WHERE tenant_id = %s", (carrier, alice.tenant.id)
        )
    assert (await alice.post(f"/jobs/{job}/cancel")).status_code == 200
    async with database.system_transaction() as connection:
        [row] = await (await connection.execute("SELECT owed FROM carriers WHERE id = %s", (carrier,))).fetchall()
    assert row["owed"]


async def test_only_what_failed_is_retried_and_nothing_is_sent_twice(alice: Caller, database: Database) -> None:
    job = await begun(alice, 300)
    ids = await members(database, job)
    assert problem(await alice.post(f"/jobs/{job}/retry")) == (409, "not_failed", [])
    await hand_off(database, ids[:5], "rejected")
    await hand_off(database, ids[5:10], "accepted")  # the answer came after the end was written
    await hand_off(database, ids[10:15], "failed")
    async with database.system_transaction() as connection:
        await connection.execute("UPDATE notifications SET ambiguous = true WHERE id = ANY(%s)", (ids[10:15],))
    await end(database, ids[:260], "failed", "permanent_refusal")
    await end(database, ids[260:280], "skipped", "no_address")
    await end(database, ids[280:], "sent", "accepted")
    answer = await alice.post(f"/jobs/{job}/retry")
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert done["outcome"] == {"retried": 255, "already_sent": 5, "rate_limited": 0, "no_words": 0}
    assert done["counts"] == {"open": 255, "sent": 25, "skipped": 20, "failed": 0, "expired": 0, "cancelled": 0}
    async with database.system_transaction() as connection:
        statement = "SELECT notification_id, state, resends FROM deliveries WHERE notification_id = ANY(%s)"
        found = await (await connection.execute(statement, (ids[:15],))).fetchall()
    seen = {row["notification_id"]: (row["state"], row["resends"]) for row in found}
    # What nobody knew the outcome of may be a second copy now, and the ledger owns up to it.
    assert [seen[one] for one in ids[:15]] == [("pending", 0)] * 5 + [("accepted", 0)] * 5 + [("pending", 1)] * 5
    assert problem(await alice.post(f"/jobs/{job}/retry")) == (409, "not_failed", [])


async def test_two_who_act_on_a_job_at_once_share_the_work(alice: Caller, database: Database) -> None:
    job = await begun(alice, 600)
    answers = await asyncio.gather(*(alice.post(f"/jobs/{job}/cancel") for _ in range(4)))
    done = [answer.json()["outcome"]["cancelled"] for answer in answers if answer.status_code == 200]
    assert sum(done) == 600
    assert {answer.status_code for answer in answers} <= {200, 409}
    async with database.system_transaction() as connection:
        statement = "SELECT count(*) AS n FROM notification_events WHERE notification_id = ANY(%s)"
        [row] = await (await connection.execute(statement, (await members(database, job),))).fetchall()
    assert row["n"] == 600


async def test_a_job_that_is_none(alice: Caller) -> None:
    for name in ("job_" + "0" * 32, "job_1", "notif_" + "0" * 32):
        assert problem(await alice.wire.get(f"/api/v1/jobs/{name}")) == (404, "not_found", [])
        assert problem(await alice.post(f"/jobs/{name}/cancel")) == (404, "not_found", [])
    assert problem(await alice.wire.get("/api/v1/notifications", params={"job_id": "x"})) == (404, "not_found", [])
