"""Contacts are written whole and read back as written."""

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
