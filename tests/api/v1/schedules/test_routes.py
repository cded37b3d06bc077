"""Schedules over the wire: what is asked for, what is answered, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.identity import SCHEDULE, new_id, public_id
from tests.api.conftest import Caller, problem
from tests.fixtures.rows import change, rows

NOTICE = {"channel": "in_app", "title": "Your week", "content": "Three courses begin on Monday."}
WEEKLY: dict[str, Any] = {
    "name": "weekly",
    "message": NOTICE,
    "audience": {"all": True},
    "cron": "0 9 * * mon",
    "time_zone": "Europe/Paris",
}


async def made(caller: Caller, **changes: Any) -> dict[str, Any]:
    answer = await caller.post("/schedules", {**WEEKLY, **changes})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_schedule_shows_when_it_comes_in_its_own_zone(alice: Caller, database: Database) -> None:
    one = await made(alice)
    shown = await alice.get(f"/schedules/{one['id']}")
    assert shown == one
    assert len(shown["next_runs"]) == 5
    assert shown["next_run"] == shown["next_runs"][0]
    first = datetime.fromisoformat(shown["next_run"])
    assert (first.hour, first.weekday()) == (9, 0)
    assert first.utcoffset() in {timedelta(hours=1), timedelta(hours=2)}
    assert (shown["state"], shown["in_line"], shown["engine_refuses"], shown["last_runs"]) == (
        "active",
        False,
        False,
        [],
    )
    assert shown["message"]["content"] == {"text": NOTICE["content"], "html": None}
    [row] = await rows(database, "SELECT * FROM schedules WHERE tenant_id = %s", alice.tenant.id)
    assert row["owed"]


async def test_a_calendar_and_named_people(alice: Caller) -> None:
    calendar = {"hour": 9, "days_of_month": [1], "days_of_week": ["mon", "tue"]}
    body = {"cron": None, "calendar": calendar, "audience": {"user_ids": ["zoe", "ada", "zoe"]}, "jitter": "PT10M"}
    one = await made(alice, **body)
    assert one["calendar"] == {**calendar, "minute": 0}
    assert (one["audience"]["users"], one["audience"]["user_ids"]) == (2, ["ada", "zoe"])
    [listed] = (await alice.get("/schedules"))["items"]
    assert (listed["audience"]["users"], listed["audience"]["user_ids"]) == (2, None)


async def test_a_repeated_request_makes_one(alice: Caller) -> None:
    first, second = [await alice.post("/schedules", WEEKLY, Idempotency_Key="weekly") for _ in range(2)]
    assert first.json()["id"] == second.json()["id"]
    assert (second.status_code, second.headers["idempotent-replayed"]) == (201, "true")
    other = await alice.post("/schedules", {**WEEKLY, "name": "other"}, Idempotency_Key="weekly")
    assert problem(other)[:2] == (422, "idempotency_key_reused")


async def test_pause_resume_and_trigger(alice: Caller) -> None:
    path = f"/schedules/{(await made(alice))['id']}"
    for _ in range(2):
        assert (await alice.post(f"{path}/pause")).json()["state"] == "paused"
    first, second = [await alice.post(f"{path}/trigger", Idempotency_Key="now") for _ in range(2)]
    assert (first.status_code, first.json()["state"], first.json()["cause"]) == (202, "running", "trigger")
    assert (second.json()["id"], second.headers["idempotent-replayed"]) == (first.json()["id"], "true")
    assert (await alice.post(f"{path}/resume")).json()["state"] == "active"
    assert [run["id"] for run in (await alice.get(f"{path}/runs"))["items"]] == [first.json()["id"]]
    assert (await alice.get(path))["last_runs"][0]["id"] == first.json()["id"]
    assert (await alice.post(f"{path}/pause")).json()["last_runs"][0]["reason"] == "paused"


async def test_runs_are_paged(alice: Caller) -> None:
    path = f"/schedules/{(await made(alice))['id']}"
    ids = [(await alice.post(f"{path}/trigger")).json()["id"] for _ in range(3)]
    first = await alice.get(f"{path}/runs", limit=2)
    rest = await alice.get(f"{path}/runs", limit=2, cursor=first["next_cursor"])
    assert [run["id"] for run in (*first["items"], *rest["items"])] == ids[::-1]
    assert rest["next_cursor"] is None


async def test_writing_anew_replaces_all_of_it(alice: Caller) -> None:
    path = f"/schedules/{(await made(alice, jitter=600, audience={'user_ids': ['ada']}))['id']}"
    answer = await alice.wire.put(f"/api/v1{path}", json={**WEEKLY, "name": "daily", "cron": "0 9 * * *"})
    assert answer.status_code == 200, answer.text
    shown = await alice.get(path)
    assert (shown["name"], shown["cron"], shown["jitter"], shown["audience"]["users"]) == (
        "daily",
        "0 9 * * *",
        "PT0S",
        None,
    )


async def test_a_deleted_schedule_is_gone(alice: Caller) -> None:
    path = f"/schedules/{(await made(alice))['id']}"
    assert (await alice.wire.delete(f"/api/v1{path}")).status_code == 204
    assert problem(await alice.wire.get(f"/api/v1{path}"))[:2] == (404, "not_found")
    assert problem(await alice.wire.delete(f"/api/v1{path}"))[:2] == (404, "not_found")
    assert (await alice.get("/schedules"))["items"] == []


async def test_one_that_has_ended_says_so(alice: Caller, database: Database) -> None:
    path = f"/schedules/{(await made(alice))['id']}"
    async with database.system_transaction() as connection:
        await connection.execute("UPDATE schedules SET end_at = now() WHERE tenant_id = %s", (alice.tenant.id,))
    shown = await alice.get(path)
    assert (shown["state"], shown["next_run"], shown["next_runs"]) == ("ended", None, [])
    for action in ("pause", "resume", "trigger"):
        assert problem(await alice.post(f"{path}/{action}"))[:2] == (409, "already_ended")


async def test_one_whose_zone_is_lost_is_shown_by_utc(alice: Caller, database: Database) -> None:
    path = f"/schedules/{(await made(alice))['id']}"
    await change(database, "UPDATE schedules SET time_zone = 'Mars/Olympus' WHERE tenant_id = %s", alice.tenant.id)
    shown = await alice.get(path)
    assert (shown["time_zone"], shown["next_run"][10:]) == ("Mars/Olympus", "T09:00:00Z")
    assert [one["next_run"] for one in (await alice.get("/schedules"))["items"]] == [shown["next_run"]]


SHARED = {**NOTICE, "channel": "email", "metadata": {"email": "a@b.de"}}
STRAY = {**NOTICE, "channel": "webhook", "metadata": {"webhook_url": "https://no.example.com/"}}
SOON = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    ("changes", "code", "places"),
    [
        ({"cron": "every day"}, "invalid_cron", ["/cron"]),
        ({"cron": "0 0 L * *"}, "unsupported_cron", ["/cron"]),
        ({"cron": "0 0 31 2 *"}, "invalid_cron", ["/cron"]),
        ({"cron": 5}, None, ["/cron"]),
        ({"cron": None}, "recurrence_required", ["/cron"]),
        ({"calendar": {"hour": 9}}, "recurrence_required", ["/cron"]),
        ({"cron": None, "calendar": {"hour": 24}}, None, ["/calendar/hour"]),
        ({"cron": None, "calendar": {"hour": 9, "days_of_week": ["mo"]}}, None, ["/calendar/days_of_week/0"]),
        ({"cron": None, "calendar": {"hour": 9, "days_of_month": [31], "months": [2]}}, "never_runs", ["/calendar"]),
        ({"time_zone": "Europe/Atlantis"}, "unknown_time_zone", ["/time_zone"]),
        ({"end_at": "2020-01-01T00:00:00Z"}, "never_runs", ["/cron"]),
        ({"end_at": "9999-12-31T23:59:59Z"}, "out_of_range", ["/end_at"]),
        ({"start_at": "9999-12-31T23:59:59-14:00"}, None, ["/start_at"]),
        ({"start_at": "2100-01-01T00:00:00Z"}, "out_of_range", ["/start_at"]),
        ({"start_at": "2099-01-01T00:00:00Z", "end_at": SOON}, "ends_before_start", ["/end_at"]),
        ({"jitter": "P2D"}, "out_of_range", ["/jitter"]),
        ({"jitter": -1}, "invalid_duration", ["/jitter"]),
        ({"catch_up": 5}, "out_of_range", ["/catch_up"]),
        ({"overlap": "terminate_other"}, None, ["/overlap"]),
        ({"audience": {}}, "audience_required", ["/audience"]),
        ({"audience": {"all": True, "user_ids": ["ada"]}}, "audience_required", ["/audience"]),
        ({"audience": {"attributes": {"tags": ["a"]}}}, None, None),
        ({"audience": {"attributes": {"plan": "pro\0"}}}, "invalid_characters", ["/audience/attributes"]),
        ({"audience": {"attributes": {"seats": 1e30}}}, "number_out_of_range", ["/audience/attributes"]),
        ({"audience": {"user_ids": ["u"] * 10_001}}, None, ["/audience/user_ids"]),
        ({"message": {**NOTICE, "channel": "pigeon"}}, None, ["/message/channel"]),
        ({"message": {**NOTICE, "channels": ["in_app"]}}, "channel_required", ["/message/channel"]),
        ({"message": {**NOTICE, "content": ""}}, "field_required", ["/message/content"]),
        ({"message": {**NOTICE, "content": "x" * 100_001}}, "content_too_large", ["/message/content"]),
        ({"message": SHARED}, "shared_address", ["/message/metadata/email"]),
        ({"message": {**NOTICE, "fallback_after": 60}}, "fallback_needs_channels", ["/message/fallback_after"]),
        ({"message": STRAY}, "no_such_endpoint", ["/message/metadata/webhook_url"]),
        ({"message": {**NOTICE, "user_id": "ada"}}, None, ["/message/user_id"]),
        ({"name": ""}, None, ["/name"]),
        ({"colour": "red"}, None, ["/colour"]),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_named(
    alice: Caller, changes: dict[str, Any], code: str | None, places: list[str] | None
) -> None:
    answer = await alice.post("/schedules", {**WEEKLY, **changes})
    status, said, where = problem(answer)
    assert status == 422
    assert said == code or code is None
    assert where == places or places is None
    assert (await alice.get("/schedules"))["items"] == []


async def test_an_id_that_is_none(alice: Caller) -> None:
    for name in ("sched_1", "notif_" + "0" * 32, public_id(SCHEDULE, new_id())):
        assert problem(await alice.wire.get(f"/api/v1/schedules/{name}"))[:2] == (404, "not_found")
