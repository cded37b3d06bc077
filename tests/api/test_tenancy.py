"""Nothing of another tenant is to be had, on any route, by any id, in any list or count."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from api.app import create_app
from postroom.database.engine import Database
from postroom.identity import ENDPOINT, INBOX, JOB, NOTIFICATION, new_id, public_id
from postroom.settings import Settings
from tests.api.conftest import Caller, problem
from tests.fixtures.inbox import put_into_inbox

OPEN = {"/health", "/ready"}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "/reschedule": {"delay": 60},
    "/contacts/{user_id}": {"addresses": {"email": "mallory@shop.de"}},
    "/replay": {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"},
    "/webhook-endpoints/{id}": {"description": "mallory's"},
}


def operations(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every route of the API that names something."""
    for path, methods in create_app(settings).openapi()["paths"].items():
        if path not in OPEN and "{" in path:
            yield from ((method, path) for method in methods)


def body_for(path: str) -> Mapping[str, Any] | None:
    return next((body for ending, body in BODIES.items() if path.endswith(ending)), None)


@pytest.fixture
async def belongings(decoy: Caller, database: Database) -> dict[str, str]:
    """What the decoy owns: one of everything that has an id."""
    await decoy.wire.put("/api/v1/contacts/decoy-person", json={"addresses": {"email": "decoy@shop.de"}})
    notification = await decoy.sent(user_id="decoy-person", title="decoy title")
    message = await put_into_inbox(database, decoy.tenant.id, notification, "decoy-person")
    many = {"user_ids": ["decoy-person"], "channel": "email", "title": "decoy title", "content": "x", "delay": 60}
    job = (await decoy.post("/notifications/batch", many)).json()["job_id"]
    url = "https://decoy.example.com/hook"
    endpoint = (await decoy.post("/webhook-endpoints", {"url": url})).json()["id"]
    return {
        "notifications": notification,
        "inbox": message,
        "jobs": job,
        "webhook-endpoints": endpoint,
        "user_id": "decoy-person",
    }


def filled(path: str, names: Mapping[str, str]) -> str:
    nouns = ("inbox", "jobs", "webhook-endpoints")
    identity = next((names[noun] for noun in nouns if f"/{noun}/" in path), names["notifications"])
    return path.replace("{id}", identity).replace("{user_id}", names["user_id"])


async def test_every_route_hides_the_other_tenant(
    alice: Caller, decoy: Caller, belongings: dict[str, str], settings: Settings
) -> None:
    absent = {
        "notifications": public_id(NOTIFICATION, new_id()),
        "inbox": public_id(INBOX, new_id()),
        "jobs": public_id(JOB, new_id()),
        "webhook-endpoints": public_id(ENDPOINT, new_id()),
        "user_id": "nobody",
    }
    seen = 0
    for method, path in operations(settings):
        if path == "/api/v1/contacts/{user_id}" and method == "put":
            continue  # writing a contact makes one's own; the next test looks at it
        theirs = await alice.wire.request(method, filled(path, belongings), json=body_for(path))
        nobodys = await alice.wire.request(method, filled(path, absent), json=body_for(path))
        assert theirs.status_code == nobodys.status_code, (method, path)
        assert shape(theirs.text) == shape(nobodys.text), (method, path)
        assert "decoy" not in re.sub(r"decoy-person", "", theirs.text)
        if "{id}" in path:
            assert problem(theirs)[:2] == (404, "not_found"), (method, path)
        seen += 1
    assert seen >= 23
    assert (await decoy.get(f"/webhook-endpoints/{belongings['webhook-endpoints']}"))["description"] is None
    assert (await decoy.get(f"/notifications/{belongings['notifications']}/status"))["status"] == "pending"
    assert (await decoy.get("/users/decoy-person/inbox/unread-count")) == {"unread": 1}
    assert (await decoy.get(f"/jobs/{belongings['jobs']}"))["counts"]["open"] == 1


def shape(text: str) -> str:
    return re.sub(r'"urn:postroom:request:[^"]*"', '"urn"', text)


async def test_lists_and_counts_are_ones_own(alice: Caller, belongings: dict[str, str]) -> None:
    mine = await alice.sent(user_id="decoy-person")
    for path in ("/notifications", "/users/decoy-person/notifications"):
        assert [one["id"] for one in (await alice.get(path))["items"]] == [mine]
    theirs = await alice.get("/notifications", job_id=belongings["jobs"])
    assert (theirs["items"], (await alice.get("/jobs"))["items"]) == ([], [])
    assert (await alice.get("/stats"))["total"] == 1
    assert await alice.get("/users/decoy-person/inbox/unread-count") == {"unread": 0}
    assert (await alice.get("/users/decoy-person/inbox"))["items"] == []
    assert (await alice.get("/webhook-endpoints"))["items"] == []


async def test_the_same_name_is_two_people(alice: Caller, decoy: Caller, belongings: dict[str, str]) -> None:
    written = await alice.wire.put("/api/v1/contacts/decoy-person", json={"addresses": {"email": "mine@shop.de"}})
    assert written.status_code == 201
    assert (await decoy.get("/contacts/decoy-person"))["addresses"] == {"email": "decoy@shop.de"}
    assert (await alice.post("/users/decoy-person/inbox/read-all")).json() == {"read": 0}
    assert await decoy.get("/users/decoy-person/inbox/unread-count") == {"unread": 1}


async def test_a_cursor_of_another_tenant_is_no_cursor(alice: Caller, decoy: Caller) -> None:
    for _ in range(2):
        await decoy.sent()
    cursor = (await decoy.get("/notifications", limit=1))["next_cursor"]
    answer = await alice.wire.get("/api/v1/notifications", params={"limit": 1, "cursor": cursor})
    assert problem(answer) == (422, "invalid_cursor", [])


async def test_the_other_tenants_name_tells_nothing(alice: Caller, decoy: Caller) -> None:
    answers = [await alice.send(tenant_id=name) for name in (decoy.tenant.slug, str(decoy.tenant.id), "nobody")]
    assert {problem(answer)[1] for answer in answers} == {"tenant_mismatch"}
    assert len({shape(answer.text) for answer in answers}) == 1
