"""Many people in one call: all of them are in the record or nobody is, and each is accounted for."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.contracts.vocabulary import NotificationState
from postroom.database.engine import Database
from postroom.settings import Settings
from tests.api.conftest import Caller, early_in_a_window, limited, problem
from tests.fixtures.database import Tenants, make_tenants
from tests.fixtures.plain_http import plain_client

SHARED: dict[str, Any] = {"channels": ["email", "in_app"], "title": "Closed", "content": "See you on Monday."}


def people(count: int) -> list[str]:
    return [f"user_{number}" for number in range(count)]


def batch(**changes: Any) -> dict[str, Any]:
    return {**SHARED, **changes}


def with_address(address: str, user_id: str = "ada") -> dict[str, Any]:
    return {"user_id": user_id, "metadata": {"email": address}}


def sums(job: dict[str, Any]) -> bool:
    return sum(job["counts"].values()) == job["total"] and set(job["counts"]) == {str(one) for one in NotificationState}


async def rows(database: Database, caller: Caller) -> list[dict[str, Any]]:
    async with database.tenant_transaction(caller.tenant.id) as connection:
        statement = (
            "SELECT n.*, c.title, c.body_text, c.metadata FROM notifications n "
            "JOIN notification_contents c ON c.notification_id = n.id ORDER BY n.id"
        )
        return await (await connection.execute(statement)).fetchall()


async def test_a_thousand_people_in_one_call(alice: Caller, database: Database) -> None:
    answer = await alice.post("/notifications/batch", batch(user_ids=people(1000), priority="low"))
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["kind"], job["status"], job["total"]) == ("batch", "processing", 1000)
    assert job["counts"]["open"] == 1000
    assert sums(job)
    assert answer.headers["location"] == job["links"]["self"] == f"/api/v1/jobs/{job['job_id']}"
    assert {name for name, path in job["links"].items() if path} == {"self", "failures", "notifications"}
    assert await alice.get(f"/jobs/{job['job_id']}") == job
    written = await rows(database, alice)
    assert [row["user_id"] for row in written] == people(1000)
    assert {row["priority"] for row in written} == {4}
    assert {(row["title"], row["body_text"]) for row in written} == {("Closed", "See you on Monday.")}
    assert len({(row["created_at"], row["due_at"], row["expires_at"]) for row in written}) == 1


async def test_each_may_have_metadata_of_their_own(alice: Caller, database: Database) -> None:
    recipients = [with_address("ada@shop.de"), {"user_id": "bob", "metadata": {"campaign": "own"}}, {"user_id": "eve"}]
    body = batch(recipients=recipients, metadata={"campaign": "friday"}, notification_type="hours")
    answer = await alice.post("/notifications/batch", body)
    assert answer.status_code == 202, answer.text
    assert [row["metadata"] for row in await rows(database, alice)] == [
        {"campaign": "friday", "email": "ada@shop.de"},
        {"campaign": "own"},
        {"campaign": "friday"},
    ]
    listed = (await alice.get("/notifications", job_id=answer.json()["job_id"]))["items"]
    assert [one["user_id"] for one in listed] == ["eve", "bob", "ada"]
    assert {(one["job_id"], one["notification_type"]) for one in listed} == {(answer.json()["job_id"], "hours")}


async def test_names_of_any_script_are_kept(alice: Caller, database: Database) -> None:
    names = ["ада", "用户/1", "عمر", "🦊", "o'brien; --", "é", "e\u0301", " blank ", "x" * 64]
    answer = await alice.post("/notifications/batch", batch(user_ids=names))
    assert answer.status_code == 202, answer.text
    assert [row["user_id"] for row in await rows(database, alice)] == names


async def test_a_batch_waits_for_its_time(alice: Caller, database: Database) -> None:
    answer = await alice.post("/notifications/batch", batch(user_ids=people(3), delay="PT1H"))
    assert answer.json()["status"] == "processing"
    for row in await rows(database, alice):
        assert row["due_at"] == row["scheduled_at"] == row["created_at"] + timedelta(hours=1)
        assert row["expires_at"] > row["due_at"]


async def test_files_are_stored_once_and_enclosed_for_everybody(alice: Caller, database: Database) -> None:
    files = [
        {"filename": name, "content_type": "text/plain", "content": base64.b64encode(name.encode()).decode()}
        for name in ("b.txt", "a.txt")
    ]
    answer = await alice.post("/notifications/batch", batch(user_ids=people(3), attachments=files))
    assert answer.status_code == 202, answer.text
    async with database.tenant_transaction(alice.tenant.id) as connection:
        blobs = await (await connection.execute("SELECT sha256 FROM blobs")).fetchall()
    assert len(blobs) == 2
    for row in await rows(database, alice):
        whole = await alice.get(f"/notifications/notif_{row['id'].hex}")
        assert [one["filename"] for one in whole["attachments"]] == ["b.txt", "a.txt"]


@pytest.mark.parametrize(
    ("changes", "code", "places"),
    [
        ({}, "recipients_required", ["/user_ids"]),
        ({"user_ids": ["a"], "recipients": [{"user_id": "a"}]}, "recipients_required", ["/user_ids"]),
        ({"user_ids": []}, "too_few", ["/user_ids"]),
        ({"user_ids": people(1001)}, "too_many", ["/user_ids"]),
        ({"recipients": [{"user_id": name} for name in people(1001)]}, "too_many", ["/recipients"]),
        ({"user_ids": ["a", "b", "a", "b"]}, "duplicate_recipient", ["/user_ids/2", "/user_ids/3"]),
        ({"recipients": [{"user_id": "a"}, {"user_id": "a"}]}, "duplicate_recipient", ["/recipients/1"]),
        ({"user_ids": ["a", ""]}, "too_short", ["/user_ids/1"]),
        ({"user_ids": ["a", "x" * 65]}, "too_long", ["/user_ids/1"]),
        ({"user_ids": ["a", 5]}, "wrong_type", ["/user_ids/1"]),
        ({"user_ids": ["a\nb"]}, "invalid_characters", ["/user_ids/0"]),
        ({"recipients": [{"metadata": {}}]}, "field_required", ["/recipients/0/user_id"]),
        ({"recipients": [{"user_id": "a", "age": 5}]}, "unknown_field", ["/recipients/0/age"]),
        (
            {
                "recipients": [
                    {"user_id": "b"},
                    with_address("nowhere"),
                    with_address("ada@shop.de\r\nBcc: x@y.de", "c"),
                ]
            },
            "invalid_recipient",
            ["/recipients/1/metadata/email", "/recipients/2/metadata/email"],
        ),
        ({"user_ids": ["a"], "metadata": {"email": "ada@shop.de"}}, "shared_address", ["/metadata/email"]),
        ({"user_ids": ["a"], "user_id": "b"}, "unknown_field", ["/user_id"]),
        ({"user_ids": ["a"], "title": ""}, "too_short", ["/title"]),
        ({"user_ids": ["a"], "scheduled_at": "2020-01-01T00:00:00Z"}, "scheduled_in_past", ["/scheduled_at"]),
        ({"user_ids": ["a"], "channels": ["pigeon"]}, "unknown_value", ["/channels/0"]),
        ({"user_ids": ["a"], "tenant_id": "nobody"}, "tenant_mismatch", ["/tenant_id"]),
    ],
)
async def test_what_is_wrong_is_refused_as_a_whole_and_named(  # noqa: PLR0913 - a case and its verdict
    alice: Caller, database: Database, changes: dict[str, Any], code: str, places: list[str]
) -> None:
    answer = await alice.post("/notifications/batch", batch(**changes))
    assert problem(answer) == (422, code, places)
    assert await rows(database, alice) == []
    assert (await alice.get("/jobs"))["items"] == []


async def test_a_thousand_wrong_addresses_are_counted_and_a_hundred_shown(alice: Caller) -> None:
    recipients = [with_address("nowhere", name) for name in people(1000)]
    answer = await alice.post("/notifications/batch", batch(recipients=recipients))
    assert answer.json()["detail"] == "1000 recipients are wrong."
    assert len(answer.json()["errors"]) == 100


async def test_two_megabytes_of_metadata(alice: Caller, database: Database) -> None:
    recipients = [{"user_id": name, "metadata": {"note": "é" * 1000}} for name in people(1000)]
    body = json.dumps(batch(recipients=recipients), ensure_ascii=False).encode()
    assert len(body) > 2_000_000
    headers = {"Content-Type": "application/json"}
    answer = await alice.wire.post("/api/v1/notifications/batch", content=body, headers=headers)
    assert answer.status_code == 202, answer.text
    assert {row["metadata"]["note"] for row in await rows(database, alice)} == {"é" * 1000}


async def test_words_times_people_have_a_limit(alice: Caller, database: Database) -> None:
    answer = await alice.post("/notifications/batch", batch(user_ids=people(1000), content="x" * 50_001))
    assert problem(answer) == (413, "batch_too_large", [])
    assert await rows(database, alice) == []
    assert (await alice.post("/notifications/batch", batch(user_ids=people(10), content="x" * 50_001))).is_success


async def test_twenty_equal_ones_at_once_are_one_job(alice: Caller, database: Database) -> None:
    body = batch(user_ids=people(300))
    answers = await asyncio.gather(
        *(alice.post("/notifications/batch", body, Idempotency_Key="friday") for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers].count("true") == 19
    assert len(await rows(database, alice)) == 300
    assert len((await alice.get("/jobs"))["items"]) == 1


async def test_a_key_names_one_request_of_either_kind(alice: Caller, database: Database) -> None:
    first = await alice.post("/notifications/batch", batch(user_ids=people(2)), Idempotency_Key="k")
    other = await alice.post("/notifications/batch", batch(user_ids=people(3)), Idempotency_Key="k")
    assert problem(other) == (422, "idempotency_key_reused", [])
    single = await alice.post("/notifications", batch(user_id="ada"), Idempotency_Key="k")
    assert problem(single) == (422, "idempotency_key_reused", [])
    await alice.post("/notifications", batch(user_id="ada"), Idempotency_Key="single")
    reverse = await alice.post("/notifications/batch", batch(user_ids=people(2)), Idempotency_Key="single")
    assert problem(reverse) == (422, "idempotency_key_reused", [])
    again = await alice.post("/notifications/batch", batch(user_ids=people(2)), Idempotency_Key="k")
    assert (again.json()["job_id"], again.headers["idempotent-replayed"]) == (first.json()["job_id"], "true")
    assert len(await rows(database, alice)) == 3


async def test_a_repeat_is_answered_after_its_time_has_passed(alice: Caller, database: Database) -> None:
    body = batch(user_ids=people(2), scheduled_at=(datetime.now(UTC) - timedelta(seconds=58)).isoformat())
    first = await alice.post("/notifications/batch", body, Idempotency_Key="k")
    assert first.status_code == 202, first.text
    async with asyncio.timeout(10):
        while (await alice.post("/notifications/batch", body)).status_code == 202:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.3)
    again = await alice.post("/notifications/batch", body, Idempotency_Key="k")
    assert (again.status_code, again.json()["job_id"]) == (202, first.json()["job_id"])


async def test_tenants_do_not_share_keys_or_people(alice: Caller, decoy: Caller, database: Database) -> None:
    mine, theirs = [
        (await caller.post("/notifications/batch", batch(user_ids=["ada"]), Idempotency_Key="k")).json()
        for caller in (alice, decoy)
    ]
    assert mine["job_id"] != theirs["job_id"]
    assert [len(await rows(database, caller)) for caller in (alice, decoy)] == [1, 1]


async def test_whoever_was_addressed_too_often_fails_alone(
    database: Database, settings: Settings, tenants: Tenants
) -> None:
    async with limited(database, settings, tenants, user_rate_per_minute=5) as alice:
        await early_in_a_window()
        for _ in range(5):
            assert (await alice.post("/notifications", batch(user_id="ada"))).status_code == 202
        body = batch(user_ids=["bob", "ada", "eve"])
        answers = await asyncio.gather(
            *(alice.post("/notifications/batch", body, Idempotency_Key="k") for _ in range(10))
        )
        assert {answer.status_code for answer in answers} == {202}
        job = answers[0].json()
        assert (job["total"], job["counts"]["open"], job["counts"]["failed"]) == (3, 2, 1)
        assert sums(job)
        [failure] = (await alice.get(f"/jobs/{job['job_id']}/failures"))["items"]
        assert (failure["user_id"], failure["state"], failure["reason"]) == ("ada", "failed", "user_rate_limited")
        story = await alice.get(f"/notifications/{failure['notification_id']}/timeline")
        assert [entry["kind"] for entry in story["entries"]] == ["accepted", "failed"]
        # Nine repetitions counted nobody: bob has four left.
        assert [(await alice.post("/notifications", batch(user_id="bob"))).status_code for _ in range(5)] == [
            *[202] * 4,
            429,
        ]
        refused = (await alice.post(f"/jobs/{job['job_id']}/retry")).json()
        assert refused["outcome"] == {"retried": 0, "already_sent": 0, "rate_limited": 1, "no_words": 0}
        assert refused["counts"] == job["counts"]


async def test_what_was_refused_for_its_rate_can_be_retried_and_keeps_its_time(
    database: Database, settings: Settings, tenants: Tenants
) -> None:
    async with limited(database, settings, tenants, user_rate_per_minute=1) as alice:
        await early_in_a_window()
        assert (await alice.post("/notifications", batch(user_id="ada"))).status_code == 202
        answer = await alice.post("/notifications/batch", batch(user_ids=["ada"], delay="PT1H"))
        job = answer.json()
        assert (job["status"], job["counts"]["failed"]) == ("completed", 1)
    async with limited(database, settings, tenants, user_rate_per_minute=1) as alice:  # a process that counts anew
        done = (await alice.post(f"/jobs/{job['job_id']}/retry")).json()
        assert (done["outcome"]["retried"], done["status"], done["counts"]["open"]) == (1, "processing", 1)
        [row] = [row for row in await rows(database, alice) if row["job_id"]]
        assert row["due_at"] == row["scheduled_at"]


async def test_a_full_house_takes_no_part_of_it(
    fresh_database: Database, fresh_database_url: str, settings: Settings
) -> None:
    changed = settings.model_copy(update={"database_url": fresh_database_url})
    tenants = await make_tenants(fresh_database)
    async with limited(fresh_database, changed, tenants, backlog_limit=10) as alice:
        assert (await alice.send(delay=3600)).status_code == 202  # not due; what is waiting is counted beside it
        await asyncio.sleep(0.3)
        first = await alice.post("/notifications/batch", batch(user_ids=people(6)), Idempotency_Key="kept")
        assert first.status_code == 202, first.text
        full = await alice.post("/notifications/batch", batch(user_ids=people(5)))
        assert problem(full) == (429, "backlog_full", [])
        assert int(full.headers["retry-after"]) >= 1
        assert len(await rows(fresh_database, alice)) == 1 + 6
        assert (await alice.post("/notifications/batch", batch(user_ids=people(4)))).status_code == 202
        assert (await alice.post("/notifications", batch(user_id="ada"))).status_code == 429
        again = await alice.post("/notifications/batch", batch(user_ids=people(6)), Idempotency_Key="kept")
        assert (again.status_code, again.json()["job_id"]) == (202, first.json()["job_id"])


async def test_a_key_without_the_scope_or_none_at_all(alice: Caller, api_url: str) -> None:
    async with plain_client(base_url=api_url) as wire:
        nobody = await wire.post("/api/v1/notifications/batch", json=batch(user_ids=["ada"]))
    assert problem(nobody) == (401, "key_missing", [])
    text = {"Content-Type": "text/plain"}
    other = await alice.wire.post("/api/v1/notifications/batch", content=b"x", headers=text)
    assert problem(other) == (415, "unsupported_media_type", [])
    json_type = {"Content-Type": "application/json"}
    broken = await alice.wire.post("/api/v1/notifications/batch", content=b"{", headers=json_type)
    assert problem(broken)[:2] == (400, "malformed_json")
