"""Template sets and shared variables over the API: written, read, changed, removed."""

import asyncio
from typing import Any

import pytest

from tests.api.conftest import Caller, problem
from tests.api.v1.templates.test_routes import made

SET = {"name": "onboarding", "entries": [{"template": "welcome"}, {"template": "tips", "delay": "P3D"}]}


async def test_a_set_lives(alice: Caller) -> None:
    first, second = (await made(alice))["id"], (await made(alice, name="tips"))["id"]
    answer = await alice.post("/template-sets", SET, Idempotency_Key="set-1")
    made_set = answer.json()
    assert (answer.status_code, made_set["entries"]) == (
        201,
        [{"template_id": first, "delay_seconds": None}, {"template_id": second, "delay_seconds": 259_200}],
    )
    again = await alice.post("/template-sets", SET, Idempotency_Key="set-1")
    assert (again.json(), again.headers["idempotent-replayed"]) == (made_set, "true")
    assert await alice.get("/template-sets/onboarding") == await alice.get(f"/template-sets/{made_set['id']}")
    assert (await alice.get("/template-sets"))["items"] == [made_set]
    changed = {"name": "start", "entries": [{"template": second}]}
    answer = await alice.wire.put("/api/v1/template-sets/onboarding", json=changed)
    assert (answer.json()["name"], [one["template_id"] for one in answer.json()["entries"]]) == ("start", [second])
    assert problem(await alice.wire.get("/api/v1/template-sets/onboarding"))[:2] == (404, "not_found")
    assert (await alice.wire.delete("/api/v1/template-sets/start")).status_code == 204
    assert problem(await alice.wire.delete("/api/v1/template-sets/start"))[:2] == (404, "not_found")


async def test_lists_of_sets_have_pages(alice: Caller) -> None:
    await made(alice)
    for name in ("one", "two", "three"):
        entries = {"name": name, "entries": [{"template": "welcome"}]}
        assert (await alice.post("/template-sets", entries)).status_code == 201
    first = await alice.get("/template-sets", limit=2)
    rest = await alice.get("/template-sets", limit=2, cursor=first["next_cursor"])
    assert [one["name"] for one in first["items"] + rest["items"]] == ["three", "two", "one"]


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"entries": []}, ["/entries"]),
        ({"entries": [{"template": "welcome"}] * 51}, ["/entries"]),
        ({"entries": [{"template": "welcome"}, {"template": "nobody"}]}, ["/entries/1/template"]),
        ({"entries": [{"template": "welcome", "delay": "soon"}]}, ["/entries/0/delay"]),
        ({"name": "tset_" + "0" * 32}, ["/name"]),
        ({"order": 1}, ["/order"]),
    ],
)
async def test_what_is_no_set(alice: Caller, changes: dict[str, Any], places: list[str]) -> None:
    await made(alice)
    body = {"name": "onboarding", "entries": [{"template": "welcome"}], **changes}
    answer = await alice.post("/template-sets", body)
    assert (problem(answer)[0], problem(answer)[2]) == (422, places)


async def test_names_of_sets_are_unique(alice: Caller) -> None:
    await made(alice)
    for name in ("one", "two"):
        assert (await alice.post("/template-sets", {"name": name, "entries": [{"template": "welcome"}]})).is_success
    taken = {"name": "two", "entries": [{"template": "welcome"}]}
    assert problem(await alice.post("/template-sets", taken))[:2] == (409, "name_taken")
    assert problem(await alice.wire.put("/api/v1/template-sets/one", json=taken))[:2] == (409, "name_taken")


async def test_shared_variables_live(alice: Caller) -> None:
    assert await alice.get("/settings/variables") == {"variables": {}}
    both = {"variables": {"company_name": "Example Shop", "support_url": "https://shop.example.com"}}
    assert (await alice.wire.put("/api/v1/settings/variables", json=both)).json() == both
    one = await alice.wire.put("/api/v1/settings/variables/company_name", json={"value": "Other Shop"})
    assert one.json() == {"name": "company_name", "value": "Other Shop"}
    assert await alice.get("/settings/variables/company_name") == one.json()
    assert (await alice.wire.delete("/api/v1/settings/variables/support_url")).status_code == 204
    assert problem(await alice.wire.delete("/api/v1/settings/variables/support_url"))[:2] == (404, "not_found")
    assert await alice.get("/settings/variables") == {"variables": {"company_name": "Other Shop"}}


async def test_variables_written_at_once_are_all_there(alice: Caller) -> None:
    names = [f"v{number}" for number in range(12)]
    await asyncio.gather(
        *(alice.wire.put(f"/api/v1/settings/variables/{name}", json={"value": name}) for name in names)
    )
    assert (await alice.get("/settings/variables"))["variables"] == {name: name for name in names}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"variables": {"a b": "x"}}),
        ("", {"variables": {"contact": "x"}}),
        ("", {"variables": {"a": 7}}),
        ("", {"variables": {"a": "x\0"}}),
        ("", {"variables": {"a\0": "x"}}),
        ("", {"variables": {"a": "x" * 2_001}}),
        ("", {"variables": {f"v{number}": "x" for number in range(201)}}),
        ("", {"colour": "red"}),
        ("/a-b", {"value": "x"}),
        ("/self", {"value": "x"}),
        ("/a", {"value": None}),
    ],
)
async def test_what_is_no_variable(alice: Caller, path: str, body: dict[str, Any]) -> None:
    answer = await alice.wire.put(f"/api/v1/settings/variables{path}", json=body)
    assert problem(answer)[0] == 422
    assert await alice.get("/settings/variables") == {"variables": {}}


async def test_there_are_at_most_two_hundred(alice: Caller) -> None:
    full = {"variables": {f"v{number}": "x" for number in range(200)}}
    assert (await alice.wire.put("/api/v1/settings/variables", json=full)).is_success
    answer = await alice.wire.put("/api/v1/settings/variables/one_more", json={"value": "x"})
    assert problem(answer)[:2] == (422, "too_many_variables")
    assert len((await alice.get("/settings/variables"))["variables"]) == 200
