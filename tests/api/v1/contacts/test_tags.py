"""Tags are put on people, counted, moved and taken away, and people are listed by them."""

from typing import Any
from urllib.parse import quote

import pytest

from postroom.contacts import tagging
from tests.api.conftest import Caller, problem


async def known(caller: Caller, *names: str, **body: Any) -> None:
    for name in names:
        assert (await caller.wire.put(f"/api/v1/contacts/{name}", json=body)).is_success


async def tags(caller: Caller) -> dict[str, int]:
    return {one["tag"]: one["contacts"] for one in (await caller.get("/tags"))["items"]}


async def test_one_person_is_tagged_and_not_any_more(alice: Caller, decoy: Caller) -> None:
    await known(alice, "ada")
    await known(decoy, "ada", tags=["vip"])
    for _ in range(2):
        tagged = await alice.wire.put("/api/v1/contacts/ada/tags/vip")
        assert (tagged.status_code, tagged.json()["tags"]) == (200, ["vip"])
    assert await tags(alice) == {"vip": 1}
    for _ in range(2):
        assert (await alice.wire.delete("/api/v1/contacts/ada/tags/vip")).status_code == 204
    assert (await alice.get("/contacts/ada"))["tags"] == []
    assert (await tags(alice), await tags(decoy)) == ({}, {"vip": 1})
    for method in ("put", "delete"):
        assert problem(await alice.wire.request(method, "/api/v1/contacts/nobody/tags/vip"))[:2] == (404, "not_found")


@pytest.mark.parametrize("tag", ["Größe 10", "a/b", "it's; DROP TABLE contact_tags; --", "%s", "x" * 64, "tags"])
async def test_a_tag_is_any_word(alice: Caller, tag: str) -> None:
    await known(alice, "a/b")
    path = f"/contacts/a%2Fb/tags/{quote(tag, safe='')}"
    assert (await alice.wire.put(f"/api/v1{path}")).json()["tags"] == [tag]
    assert [one["user_id"] for one in (await alice.get("/contacts", tag=tag))["items"]] == ["a/b"]
    assert (await alice.wire.delete(f"/api/v1/tags/{quote(tag, safe='')}")).json()["contacts"] == 1
    assert await tags(alice) == {}


async def test_a_contact_is_written_with_its_tags(alice: Caller) -> None:
    await known(alice, "ada", tags=["vip", "new", "vip"])
    assert (await alice.get("/contacts/ada"))["tags"] == ["new", "vip"]
    await known(alice, "ada", language="fr")
    assert (await alice.get("/contacts/ada"))["tags"] == ["new", "vip"]  # they are not the writer's to forget
    changed = await alice.wire.patch("/api/v1/contacts/ada", json={"tags": ["old"]})
    assert changed.json()["tags"] == ["old"]
    await known(alice, "ada", tags=[])
    assert (await alice.get("/contacts/ada"))["tags"] == []
    for body, code in (({"tags": None}, "field_required"), ({"tags": ["a"] * 101}, "too_many")):
        assert problem(await alice.wire.patch("/api/v1/contacts/ada", json=body))[:2] == (422, code)
    for bad, code in (("", "too_short"), ("x" * 65, "too_long"), ("a\n", "invalid_characters")):
        refused = await alice.wire.put("/api/v1/contacts/ada", json={"tags": [bad]})
        assert problem(refused) == (422, code, ["/tags/0"])


async def test_many_are_tagged_at_once(alice: Caller, decoy: Caller) -> None:
    await known(alice, "ada", "bob", "eve", tags=["old"])
    await known(decoy, "mallory", tags=["vip"])
    asked = {"add": ["ada", "bob", "ada", "mallory"], "remove": ["eve", "bob"]}
    told = (await alice.post("/tags/vip/contacts", asked)).json()
    assert told == {"tag": "vip", "added": 2, "removed": 0, "unknown": 1, "unknown_user_ids": ["mallory"]}
    told = (await alice.post("/tags/vip/contacts", {"remove": ["ada", "eve"]})).json()
    assert (told["added"], told["removed"]) == (0, 1)
    assert (await tags(alice), await tags(decoy)) == ({"old": 3, "vip": 1}, {"vip": 1})
    for body in ({}, {"add": [f"u{number}" for number in range(10_001)]}):
        assert (await alice.post("/tags/vip/contacts", body)).status_code == 422


async def test_nobody_has_tags_without_end(alice: Caller) -> None:
    await known(alice, "ada", tags=[f"tag {number}" for number in range(100)])
    assert (await alice.wire.put("/api/v1/contacts/ada/tags/tag%201")).status_code == 200
    assert problem(await alice.wire.put("/api/v1/contacts/ada/tags/more"))[:2] == (422, "too_many_tags")
    assert problem(await alice.post("/tags/more/contacts", {"add": ["ada"]}))[:2] == (422, "too_many_tags")
    assert len((await alice.get("/contacts/ada"))["tags"]) == 100


async def test_a_tag_is_renamed_for_everybody(alice: Caller, decoy: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    await known(alice, "ada", "bob", "cyd", tags=["old"])
    await known(alice, "eve", tags=["old", "new"])
    await known(decoy, "ada", tags=["old"])
    monkeypatch.setattr(tagging, "CHUNK", 2)
    renamed = await alice.wire.patch("/api/v1/tags/old", json={"name": "new"})
    assert renamed.json() == {"tag": "new", "contacts": 4, "done": True}
    assert (await tags(alice), await tags(decoy)) == ({"new": 4}, {"old": 1})
    assert problem(await alice.wire.patch("/api/v1/tags/old", json={"name": "x"}))[:2] == (404, "not_found")
    same = await alice.wire.patch("/api/v1/tags/new", json={"name": "new"})
    assert same.json() == {"tag": "new", "contacts": 0, "done": True}
    assert await tags(alice) == {"new": 4}


async def test_what_does_not_fit_into_a_request_is_done_by_repeating_it(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await known(alice, "ada", "bob", "cyd", tags=["old"])
    monkeypatch.setattr(tagging, "CHUNK", 2)
    monkeypatch.setattr(tagging, "SECONDS", 0.0)
    answer = (await alice.wire.delete("/api/v1/tags/old")).json()
    assert answer == {"tag": "old", "contacts": 0, "done": False}
    monkeypatch.undo()
    assert (await alice.wire.delete("/api/v1/tags/old")).json() == {"tag": "old", "contacts": 3, "done": True}


async def test_pages_of_tags_and_of_those_who_have_one(alice: Caller, decoy: Caller) -> None:
    await known(alice, "ada", "bob", tags=["a", "b"])
    await known(alice, "Bob", "bobby", tags=["b", "c"])
    await known(decoy, "bo", "bobo", tags=["b", "d"])
    first = await alice.get("/tags", limit=2)
    second = await alice.get("/tags", limit=2, cursor=first["next_cursor"])
    assert [one["tag"] for one in (*first["items"], *second["items"])] == ["a", "b", "c"]
    assert second["next_cursor"] is None
    assert [one["tag"] for one in (await alice.get("/tags", prefix="b"))["items"]] == ["b"]
    assert await listed(alice, tag="b") == ["Bob", "ada", "bob", "bobby"]
    assert await listed(alice, tag="b", prefix="bob") == ["bob", "bobby"]
    assert await listed(alice, prefix="bo") == ["bob", "bobby"]
    assert await listed(alice, tag="d") == await listed(alice, prefix="%") == []
    cursor = (await alice.get("/contacts", tag="b", limit=1))["next_cursor"]
    other = await alice.wire.get("/api/v1/contacts", params={"tag": "a", "cursor": cursor})
    assert problem(other)[:2] == (422, "invalid_cursor")


async def listed(caller: Caller, **filters: str) -> list[str]:
    """Everybody whom the filters leave, page by page."""
    names, cursor = [], ""
    while cursor is not None:
        page = await caller.get("/contacts", limit=1, **filters, **({"cursor": cursor} if cursor else {}))
        names += [one["user_id"] for one in page["items"]]
        cursor = page["next_cursor"]
    return names


NAMES = ("a/tags/b", "tags", "/tags/", "a/preferences", "a/tags/", "é ü/tags/日本", "x" * 64, "a%2Ftags%2Fb", "a?b#c")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tag", ["vip", "x/tags/y", "tags"])
async def test_a_name_is_whole_whatever_is_in_it(alice: Caller, name: str, tag: str) -> None:
    await alice.wire.put("/api/v1/contacts/a", json={"language": "fr"})
    person = f"/api/v1/contacts/{quote(name, safe='')}"
    written = await alice.wire.put(person, json={"language": "de"})
    assert (written.status_code, written.json()["user_id"], written.json()["tags"]) == (201, name, [])
    tagged = await alice.wire.put(f"{person}/tags/{quote(tag, safe='')}")
    assert (tagged.status_code, tagged.json()["user_id"], tagged.json()["tags"]) == (200, name, [tag])
    assert (await alice.wire.get(f"{person}/preferences")).status_code == 200
    assert (await alice.wire.get(person)).json()["tags"] == [tag]
    assert (await alice.wire.delete(f"{person}/tags/{quote(tag, safe='')}")).status_code == 204
    assert (await alice.get("/contacts/a"))["tags"] == []


@pytest.mark.parametrize("name", ["x" * 65, "x" * 5000, "a\0b"])
async def test_what_is_no_name_is_refused(alice: Caller, name: str) -> None:
    path = f"/api/v1/contacts/{quote(name, safe='')}%2Fx/tags/vip"
    assert (await alice.wire.put(path)).status_code == 422
