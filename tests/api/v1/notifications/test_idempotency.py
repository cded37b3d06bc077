"""A request that comes again under its key is answered again and done once."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx2

from postroom.database.engine import Database
from postroom.settings import Settings
from postroom.tenants.keys import Scope
from tests.api.conftest import LETTER, Caller, calling, early_in_a_window, limited, problem
from tests.fixtures.database import Tenants


async def rows_of(database: Database, caller: Caller) -> int:
    async with database.tenant_transaction(caller.tenant.id) as connection:
        row = await (await connection.execute("SELECT count(*) AS rows FROM notifications")).fetchone()
    return int(row["rows"]) if row else 0


async def test_fifty_at_once_are_one(alice: Caller, database: Database) -> None:
    answers = await asyncio.gather(*(alice.post("/notifications", LETTER, Idempotency_Key="k") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers].count("true") == 49
    assert await rows_of(database, alice) == 1


async def test_the_same_body_written_differently_is_the_same(alice: Caller) -> None:
    first = await alice.post("/notifications", {**LETTER, "delay": 60}, Idempotency_Key="k")
    again = await alice.wire.post(
        "/api/v1/notifications/send",
        content=b' {"delay":60, "metadata":{"email":"ada@shop.de"}, "content":"Good day.", "title":"Hello",'
        b' "channel":"email"} ',
        headers={"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": "k"},
    )
    assert again.status_code == 202
    assert again.json() == first.json()


async def test_another_body_is_refused(alice: Caller, database: Database) -> None:
    await alice.post("/notifications", LETTER, Idempotency_Key="k")
    other = await alice.post("/notifications", {**LETTER, "title": "Other"}, Idempotency_Key="k")
    assert problem(other) == (422, "idempotency_key_reused", [])
    assert await rows_of(database, alice) == 1


async def test_a_refused_request_leaves_its_key_free(alice: Caller) -> None:
    refused = await alice.post("/notifications", {**LETTER, "title": ""}, Idempotency_Key="k")
    assert refused.status_code == 422
    assert (await alice.post("/notifications", LETTER, Idempotency_Key="k")).status_code == 202


async def test_tenants_do_not_share_keys(alice: Caller, decoy: Caller) -> None:
    mine, theirs = [await caller.post("/notifications", LETTER, Idempotency_Key="k") for caller in (alice, decoy)]
    assert mine.json()["id"] != theirs.json()["id"]
    assert "idempotent-replayed" not in theirs.headers


async def test_two_keys_of_a_tenant_share_its_names(
    alice: Caller, database: Database, settings: Settings, api_url: str
) -> None:
    first = await alice.post("/notifications", LETTER, Idempotency_Key="k")
    async with calling(database, settings, api_url, alice.tenant, [Scope.NOTIFICATIONS_WRITE]) as colleague:
        again = await colleague.post("/notifications", LETTER, Idempotency_Key="k")
    assert again.json() == first.json()


async def test_a_name_must_be_printable_and_short(alice: Caller) -> None:
    for name in ("", "x" * 256):
        answer = await alice.post("/notifications", LETTER, Idempotency_Key=name)
        assert problem(answer)[:2] == (422, "invalid_idempotency_key")


async def test_repeats_do_not_count_against_the_person(
    database: Database, settings: Settings, tenants: Tenants
) -> None:
    letter = {**LETTER, "user_id": "ada"}
    await early_in_a_window()
    async with limited(database, settings, tenants, user_rate_per_minute=5) as alice:
        first = await alice.post("/notifications", letter, Idempotency_Key="first")
        for _ in range(8):
            again = await alice.post("/notifications", letter, Idempotency_Key="first")
            assert (again.status_code, again.headers["ratelimit-remaining"]) == (202, "4")
        answers = await asyncio.gather(*(alice.post("/notifications", letter) for _ in range(5)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) == 1
        assert problem(refused[0])[1] == "user_rate_limited"
        replay = await alice.post("/notifications", letter, Idempotency_Key="first")
        assert (replay.status_code, replay.json()) == (202, first.json())


async def test_a_repeat_is_answered_after_its_time_has_passed(alice: Caller, database: Database) -> None:
    for field, code in (("scheduled_at", "scheduled_in_past"), ("expires_at", "expires_before_due")):
        soon = datetime.now(UTC) + (timedelta(seconds=1) if field == "expires_at" else timedelta(seconds=-58))
        letter = {**LETTER, field: soon.isoformat()}
        first = await alice.post("/notifications", letter, Idempotency_Key=field)
        assert first.status_code == 202, first.text
        async with asyncio.timeout(10):
            while problem_of(await alice.post("/notifications", letter)) != code:  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.2)
        again = await alice.post("/notifications", letter, Idempotency_Key=field)
        assert (again.status_code, again.json()) == (202, first.json())
        other = await alice.post("/notifications", {**letter, "title": "Other"}, Idempotency_Key=field)
        assert problem(other)[:2] == (422, "idempotency_key_reused")


def problem_of(answer: httpx2.Response) -> str | None:
    return None if answer.status_code == 202 else problem(answer)[1]
