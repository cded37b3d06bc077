"""Addresses that nothing is sent to: written, listed, asked about and given free; never shown."""

from typing import Any

import pytest

from postroom.database.engine import Database
from tests.api.conftest import Caller, problem
from tests.fixtures.rows import rows

ADA = {"channel": "email", "address": "ada@shop.de"}


async def test_an_address_is_suppressed_once_and_never_shown(alice: Caller, decoy: Caller) -> None:
    answer = await alice.post(
        "/suppressions", ADA | {"scope": "marketing", "reason": "unsubscribed", "note": "by mail"}
    )
    assert answer.status_code == 201
    [entry] = answer.json()["items"]
    assert (entry["scope"], entry["reason"], entry["source"], entry["note"]) == (
        "marketing", "unsubscribed", "api", "by mail",
    )  # fmt: skip
    again = await alice.post("/suppressions", ADA | {"scope": "marketing", "reason": "bounced"})
    assert (again.status_code, again.json()) == (200, {"items": [entry], "added": 0})
    assert "ada@" not in (await alice.wire.get("/api/v1/suppressions")).text
    assert (await alice.get("/suppressions"))["items"] == [entry]
    assert (await decoy.get("/suppressions"))["items"] == []


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("Ada@BÜCHER.de", "ada@xn--bcher-kva.de"),
        ("ada@SHOP.de", "ADA@shop.de"),
        ("  ada@shop.de ", "ada@shop.de"),
    ],
)
async def test_every_spelling_of_an_address_is_one(alice: Caller, written: str, asked: str) -> None:
    await alice.post("/suppressions", {"channel": "email", "address": written})
    assert (await alice.post("/suppressions/check", {"channel": "email", "address": asked})).json()["suppressed"]


async def test_what_is_suppressed_of_an_address_is_told_scope_by_scope(alice: Caller) -> None:
    for scope in ("type:news", "group:billing"):
        await alice.post("/suppressions", ADA | {"scope": scope})
    checked = (await alice.post("/suppressions/check", ADA)).json()
    assert (checked["suppressed"], [one["scope"] for one in checked["items"]]) == (
        False,
        ["group:billing", "type:news"],
    )


async def test_a_person_is_blocked_wherever_they_are_known(alice: Caller) -> None:
    await alice.wire.put("/api/v1/contacts/ada", json={"addresses": {"email": "ada@shop.de"}})
    answer = await alice.post("/suppressions", {"user_id": "ada", "reason": "blocked"})
    assert {one["channel"] for one in answer.json()["items"]} == {"email", "in_app"}
    assert (await alice.post("/suppressions/check", ADA)).json()["suppressed"]
    inbox = {"channel": "in_app", "address": "ada"}
    assert (await alice.post("/suppressions/check", inbox)).json()["suppressed"]
    assert not (await alice.post("/suppressions/check", inbox | {"address": "Ada"})).json()["suppressed"]
    unknown = await alice.post("/suppressions", {"user_id": "bob", "channel": "email"})
    assert problem(unknown) == (422, "no_address", ["/channel"])


async def test_blocking_a_person_takes_back_what_was_claimed_for_them(alice: Caller, database: Database) -> None:
    await alice.sent(user_id="ada", metadata={"email": "ada@shop.de"})
    claim = """
    WITH made AS (
        INSERT INTO deliveries (tenant_id, notification_id, position, channel, state, token, lease_until, expires_at)
        SELECT tenant_id, id, 0, 'email', 'claimed', uuidv7(), now() + interval '1 min', expires_at
        FROM notifications WHERE tenant_id = %s RETURNING id
    ) SELECT id FROM made
    """
    [delivery] = await rows(database, claim, alice.tenant.id)
    await alice.post("/suppressions", {"user_id": "ada", "reason": "blocked"})
    [row] = await rows(database, "SELECT state, token FROM deliveries WHERE id = %s", delivery["id"])
    assert row == {"state": "pending", "token": None}


async def test_a_list_is_taken_over_whole_or_not_at_all(alice: Caller) -> None:
    entries: list[dict[str, Any]] = [{"channel": "email", "address": f"p{one}@shop.de"} for one in range(1_000)]
    taken = await alice.post("/suppressions/bulk", {"entries": entries})
    assert (taken.status_code, taken.json()) == (200, {"added": 1_000, "known": 0})
    assert (await alice.post("/suppressions/bulk", {"entries": entries[:10]})).json() == {"added": 0, "known": 10}
    wrong = [{"channel": "email", "address": "new@shop.de"}, {"channel": "email", "address": "nobody"}]
    refused = await alice.post("/suppressions/bulk", {"entries": wrong})
    assert problem(refused) == (422, "invalid_recipient", ["/entries/1/address"])
    assert not (await alice.post("/suppressions/check", wrong[0])).json()["items"]
    assert problem(await alice.post("/suppressions/bulk", {"entries": [*entries, entries[0]]}))[0] == 422


async def test_the_list_is_read_page_by_page_and_narrowed(alice: Caller, decoy: Caller) -> None:
    for at, reason in enumerate(("bounced", "complained", "bounced")):
        await alice.post("/suppressions", {"channel": "email", "address": f"p{at}@shop.de", "reason": reason})
    bounced = await alice.get("/suppressions", reason="bounced", limit=1)
    rest = await alice.get("/suppressions", reason="bounced", limit=1, cursor=bounced["next_cursor"])
    assert [one["reason"] for one in bounced["items"] + rest["items"]] == ["bounced", "bounced"]
    assert rest["next_cursor"] is None
    assert (await alice.get("/suppressions", channel="in_app"))["items"] == []
    other = await decoy.wire.get("/api/v1/suppressions", params={"cursor": bounced["next_cursor"], "reason": "bounced"})
    assert problem(other) == (422, "invalid_cursor", [])


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ({}, "address_or_user_id", "/address"),
        (ADA | {"user_id": "ada"}, "address_or_user_id", "/address"),
        ({"address": "ada@shop.de"}, "channel_required", "/channel"),
        (ADA | {"address": "nobody"}, "invalid_recipient", "/address"),
        (ADA | {"scope": "newsletter"}, "invalid_scope", "/scope"),
        (ADA | {"scope": "type:"}, "invalid_scope", "/scope"),
        (ADA | {"note": "a\0b"}, "invalid_characters", "/note"),
        (ADA | {"until": "tomorrow"}, "unknown_field", "/until"),
    ],
)
async def test_what_makes_no_sense_is_refused(alice: Caller, body: dict[str, str], code: str, place: str) -> None:
    assert problem(await alice.post("/suppressions", body)) == (422, code, [place])
    assert (await alice.get("/suppressions"))["items"] == []


async def test_a_request_that_comes_again_does_not_undo_what_came_between(alice: Caller) -> None:
    first = await alice.post("/suppressions", ADA, Idempotency_Key="list-1")
    await alice.wire.delete(f"/api/v1/suppressions/{first.json()['items'][0]['id']}")
    again = await alice.post("/suppressions", ADA, Idempotency_Key="list-1")
    assert (again.headers["idempotent-replayed"], again.json()) == ("true", {"items": [], "added": 0})
    other = await alice.post("/suppressions", ADA | {"reason": "bounced"}, Idempotency_Key="list-1")
    assert problem(other) == (422, "idempotency_key_reused", [])
