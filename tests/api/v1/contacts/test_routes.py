"""Contacts are written whole and read back as written."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.conftest import Caller, problem

ADA = {"addresses": {"email": "Ada@Shop.DE"}, "time_zone": "Europe/Paris", "language": "fr-CA"}


async def put(caller: Caller, user_id: str, body: Any) -> Any:
    return await caller.wire.put(f"/api/v1/contacts/{user_id}", json=body)


async def test_written_twice_is_written_once(alice: Caller) -> None:
    first, second = await put(alice, "ada", ADA), await put(alice, "ada", ADA)
    assert (first.status_code, second.status_code) == (201, 200)
    read = await alice.get("/contacts/ada")
    assert read["addresses"] == {"email": "Ada@shop.de"}  # the spelling that will stand on the wire
    assert (read["user_id"], read["time_zone"], read["language"]) == ("ada", "Europe/Paris", "fr-CA")
    assert read["created_at"] == first.json()["created_at"]
    assert read["updated_at"] > first.json()["updated_at"]


async def test_what_is_left_out_is_forgotten(alice: Caller) -> None:
    await put(alice, "ada", ADA)
    await put(alice, "ada", {"language": "de"})
    read = await alice.get("/contacts/ada")
    assert (read["addresses"], read["time_zone"], read["language"]) == ({}, None, "de")


@pytest.mark.parametrize("user_id", ["a/b", "ä ö", "x" * 64, "a%2Fb", "a?b#c"])
async def test_a_name_is_the_tenants_own_business(alice: Caller, user_id: str) -> None:
    path = quote(user_id, safe="")
    assert (await put(alice, path, ADA)).status_code == 201
    assert (await alice.get(f"/contacts/{path}"))["user_id"] == user_id


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ({"addresses": {"email": "nobody"}}, "invalid_recipient", "/addresses/email"),
        ({"addresses": {"email": "a@intranet"}}, "recipient_domain_not_allowed", "/addresses/email"),
        ({"addresses": {"fax": "1"}}, "unknown_field", "/addresses/fax"),
        ({"time_zone": "Mars/X"}, "unknown_time_zone", "/time_zone"),
        ({"time_zone": "../../etc/passwd"}, "unknown_time_zone", "/time_zone"),
        ({"language": "french!"}, "invalid_language", "/language"),
        ({"tenant_id": "x"}, "unknown_field", "/tenant_id"),
    ],
)
async def test_what_is_refused(alice: Caller, body: dict[str, Any], code: str, place: str) -> None:
    assert problem(await put(alice, "ada", body)) == (422, code, [place])


async def test_names_that_cannot_be(alice: Caller) -> None:
    assert problem(await put(alice, "x" * 65, ADA)) == (422, "too_long", ["user_id"])
    assert problem(await put(alice, "a%00b", ADA)) == (422, "invalid_characters", ["user_id"])
    assert problem(await alice.wire.get("/api/v1/contacts/nobody")) == (404, "not_found", [])


async def test_attributes_consent_and_quiet_hours(alice: Caller) -> None:
    said = {"given": True, "at": "2026-01-01T10:00:00Z", "source": "signup form"}
    body = {
        **ADA,
        "attributes": {"plan": "pro", "tags": ["a"]},
        "consent": {"marketing": {"email": said}},
        "quiet_hours": {"windows": [{"days": ["sat"], "start": "20:00", "end": "10:00"}]},
    }
    await put(alice, "ada", body)
    read = await alice.get("/contacts/ada")
    assert (read["attributes"], read["quiet_hours"]) == (body["attributes"], body["quiet_hours"])
    kept = read["consent"]["marketing"]["email"]
    assert (kept["given"], kept["source"]) == (True, "signup form")
    assert datetime.fromisoformat(kept["at"]) == datetime(2026, 1, 1, 10, tzinfo=UTC)


async def test_a_list_from_before_does_not_subscribe_again(alice: Caller) -> None:
    """Consent is added to what is known, the later word standing: a withdrawal outlives any synchronisation."""
    await put(alice, "ada", {"consent": {"marketing": {"email": {"given": False}}}})
    await put(alice, "ada", {**ADA, "consent": {"marketing": {"email": {"given": True, "at": "2026-01-01T10:00:00Z"}}}})
    await put(alice, "ada", ADA)
    read = await alice.get("/contacts/ada")
    assert (read["consent"]["marketing"]["email"]["given"], read["language"]) == (False, "fr-CA")
    later = {"consent": {"marketing": {"email": {"given": True}, "in_app": {"given": True}}}}
    assert (await alice.wire.patch("/api/v1/contacts/ada", json=later)).status_code == 200
    again = (await alice.get("/contacts/ada"))["consent"]["marketing"]
    assert {channel: one["given"] for channel, one in again.items()} == {"email": True, "in_app": True}
    subjects = [one["subject"] for one in (await alice.get("/contacts/ada/preferences/changes"))["items"]]
    assert subjects == ["consent", "consent", "consent"]


async def test_consent_is_not_given_from_the_future(alice: Caller) -> None:
    await put(alice, "ada", {"consent": {"marketing": {"email": {"given": True, "at": "2126-01-01T00:00:00Z"}}}})
    withdrawn = {"consent": {"marketing": {"email": {"given": False}}}}
    assert (await put(alice, "ada", withdrawn)).json()["consent"]["marketing"]["email"]["given"] is False


async def test_some_of_it_is_changed(alice: Caller) -> None:
    await put(alice, "ada", {**ADA, "attributes": {"plan": "pro", "age": 36}, "quiet_hours": {"enabled": False}})
    change = {"addresses": {"email": None}, "attributes": {"plan": None, "city": "Paris"}, "time_zone": None}
    changed = await alice.wire.patch("/api/v1/contacts/ada", json=change)
    assert changed.status_code == 200
    read = await alice.get("/contacts/ada")
    assert (read["addresses"], read["attributes"], read["time_zone"]) == ({}, {"age": 36, "city": "Paris"}, None)
    assert (read["language"], read["quiet_hours"]) == ("fr-CA", {"enabled": False})
    assert problem(await alice.wire.patch("/api/v1/contacts/nobody", json=change))[:2] == (404, "not_found")
    for name in ("addresses", "attributes", "consent"):
        assert problem(await alice.wire.patch("/api/v1/contacts/ada", json={name: None}))[:2] == (422, "field_required")


async def test_attributes_do_not_grow_without_end(alice: Caller) -> None:
    await put(alice, "ada", {"attributes": {"a": "x" * 10_000}})
    more = await alice.wire.patch("/api/v1/contacts/ada", json={"attributes": {"b": "x" * 10_000}})
    assert problem(more) == (422, "attributes_too_large", ["/attributes"])


async def test_pages_of_contacts(alice: Caller, decoy: Caller) -> None:
    names = ["a/b", "ada", "bea", "ö", "x" * 64, "界" * 64]
    for name in names:
        await put(alice, quote(name, safe=""), ADA)
    await put(decoy, "mallory", ADA)
    seen: list[str] = []
    cursor = None
    for _ in names:
        page = await alice.get("/contacts", limit=1, **({"cursor": cursor} if cursor else {}))
        seen += [one["user_id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert (sorted(seen), cursor) == (sorted(names), None)
    theirs = (await alice.get("/contacts", limit=1))["next_cursor"]
    answer = await decoy.wire.get("/api/v1/contacts", params={"cursor": theirs})
    assert problem(answer) == (422, "invalid_cursor", [])


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ({"consent": {"marketing": {"fax": {"given": True}}}}, "unknown_value", "/consent/marketing/fax/[key]"),
        ({"consent": {"marketing": {"email": {"given": "yes"}}}}, "wrong_type", "/consent/marketing/email/given"),
        ({"consent": {"marketing": {"email": {}}}}, "field_required", "/consent/marketing/email/given"),
        ({"consent": {"transactional": {}}}, "unknown_field", "/consent/transactional"),
        ({"quiet_hours": {"start": "22:00"}}, "quiet_hours_conflict", "/quiet_hours"),
        ({"quiet_hours": {}}, "quiet_hours_conflict", "/quiet_hours"),
        ({"quiet_hours": {"start": "25:00", "end": "08:00"}}, "invalid_time", "/quiet_hours/start"),
        ({"quiet_hours": {"windows": [{"start": "20:00"}]}}, "field_required", "/quiet_hours/windows/0/end"),
        ({"attributes": {"a": "x" * 20_000}}, "attributes_too_large", "/attributes"),
    ],
)  # fmt: skip
async def test_what_else_is_refused(alice: Caller, body: dict[str, Any], code: str, place: str) -> None:
    assert problem(await put(alice, "ada", body)) == (422, code, [place])


async def test_nobody_is_quiet_for_ever(alice: Caller) -> None:
    halves = [{"start": "00:00", "end": "12:00"}, {"start": "12:00", "end": "00:00"}]
    refused = await put(alice, "ada", {"quiet_hours": {"windows": halves}})
    assert problem(refused) == (422, "quiet_hours_never_end", ["/quiet_hours"])
