"""Endpoints over the API: made, read, changed, tested, replayed, deleted; secrets shown once."""

import asyncio
import base64
from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.settings import Settings
from postroom.tenants.keys import Scope
from tests.api.conftest import Caller, calling, problem
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change, rows

URL = "https://shop.example.com/hooks"


async def made(caller: Caller, url: str = URL, **more: Any) -> dict[str, Any]:
    answer = await caller.post("/webhook-endpoints", {"url": url, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def patched(caller: Caller, endpoint: str, **values: Any) -> Any:
    return await caller.wire.patch(f"/api/v1/webhook-endpoints/{endpoint}", json=values)


async def test_a_secret_is_shown_once_and_sealed(alice: Caller, database: Database) -> None:
    endpoint = await made(alice, events=["notification.failed", "notification.failed"], description="orders")
    assert len(base64.b64decode(endpoint["secret"].removeprefix("whsec_"))) == 32
    read = await alice.get(f"/webhook-endpoints/{endpoint['id']}")
    assert read == {name: value for name, value in endpoint.items() if name != "secret"}
    assert (read["events"], read["state"], read["rate_per_minute"]) == (["notification.failed"], "enabled", 100)
    assert (await alice.get("/webhook-endpoints"))["items"] == [read]
    stored = await rows(database, "SELECT secret FROM webhook_endpoints WHERE tenant_id = %s", alice.tenant.id)
    assert endpoint["secret"].encode() not in bytes(stored[0]["secret"])


async def test_making_one_twice_under_one_key_makes_one(alice: Caller) -> None:
    body = {"url": URL}
    first = await alice.post("/webhook-endpoints", body, Idempotency_Key="endpoint-1")
    again = await alice.post("/webhook-endpoints", body, Idempotency_Key="endpoint-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await alice.post("/webhook-endpoints", {"url": URL + "/2"}, Idempotency_Key="endpoint-1")
    assert problem(other) == (422, "idempotency_key_reused", [])
    assert problem(await alice.post("/webhook-endpoints", body))[:2] == (409, "url_taken")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"url": "http://shop.example.com"}, ("url_not_allowed", "/url")),
        ({"url": "https://127.0.0.1/"}, ("url_not_allowed", "/url")),
        ({"url": "https://2130706433/"}, ("url_not_allowed", "/url")),
        ({"url": "https://u:p@shop.example.com"}, ("url_not_allowed", "/url")),
        ({"url": "https://shop.example.com:6379"}, ("url_not_allowed", "/url")),
        ({}, (None, "/url")),
        ({"url": URL, "events": ["notification.read"]}, (None, "/events/0")),
        ({"url": URL, "rate_per_minute": 0}, (None, "/rate_per_minute")),
        ({"url": URL, "rate_per_minute": "9"}, (None, "/rate_per_minute")),
        ({"url": URL, "secret": "whsec_x"}, (None, "/secret")),
        ({"url": URL, "description": "a\0b"}, ("invalid_characters", "/description")),
    ],
)
async def test_what_cannot_be_an_endpoint(alice: Caller, body: dict[str, Any], told: tuple[str | None, str]) -> None:
    answer = await alice.post("/webhook-endpoints", body)
    code, pointer = told
    assert problem(answer)[0] == 422
    assert problem(answer)[2] == [pointer]
    assert code in {None, answer.json()["errors"][0]["code"]}


async def test_changing_and_disabling(alice: Caller) -> None:
    endpoint = await made(alice)
    changed = await patched(alice, endpoint["id"], url=URL + "/new", events=["notification.sent"], description=None)
    assert (changed.json()["url"], changed.json()["events"]) == (URL + "/new", ["notification.sent"])
    disabled = (await patched(alice, endpoint["id"], state="disabled")).json()
    assert (disabled["state"], disabled["reason"]) == ("disabled", "operator")
    message = {"channel": "webhook", "metadata": {"webhook_url": URL + "/new"}}
    assert problem(await alice.send(**message)) == (422, "endpoint_disabled", ["/metadata/webhook_url"])
    span = {"since": "2026-11-20T00:00:00Z", "until": "2026-11-20T01:00:00Z"}
    for action, body in (("test", None), ("replay", span)):
        answer = await alice.post(f"/webhook-endpoints/{endpoint['id']}/{action}", body)
        assert problem(answer)[:2] == (409, "endpoint_disabled")
    enabled = (await patched(alice, endpoint["id"], state="enabled")).json()
    assert (enabled["state"], enabled["reason"]) == ("enabled", None)
    assert (await alice.send(**message)).status_code == 202
    await made(alice, URL + "/other")
    assert problem(await patched(alice, endpoint["id"], url=URL + "/other"))[:2] == (409, "url_taken")
    assert problem(await patched(alice, endpoint["id"], url=None))[:2] == (422, "field_required")
    assert problem(await patched(alice, endpoint["id"], url="https://10.0.0.1"))[2] == ["/url"]


async def test_a_deleted_endpoint_is_gone(alice: Caller) -> None:
    endpoint = await made(alice)
    path = f"/api/v1/webhook-endpoints/{endpoint['id']}"
    assert (await alice.wire.delete(path)).status_code == 204
    assert (await alice.wire.delete(path)).status_code == (await alice.wire.get(path)).status_code == 404
    assert (await alice.post("/webhook-endpoints", {"url": URL})).status_code == 201


async def test_rotation_shows_the_new_secret(alice: Caller) -> None:
    endpoint = await made(alice)
    path = f"/webhook-endpoints/{endpoint['id']}/rotate-secret"
    rotated = (await alice.post(path, None, Idempotency_Key="rotate-1")).json()
    assert rotated["secret"] != endpoint["secret"]
    assert rotated["old_secret_until"]
    again = (await alice.post(path, None, Idempotency_Key="rotate-1")).json()
    assert again["secret"] == rotated["secret"]
    third = (await alice.post(path)).json()
    assert third["secret"] not in {rotated["secret"], endpoint["secret"]}


async def test_a_test_event_can_be_followed(alice: Caller) -> None:
    endpoint = await made(alice)
    answer = await alice.post(f"/webhook-endpoints/{endpoint['id']}/test", None, Idempotency_Key="test-1")
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    again = await alice.post(f"/webhook-endpoints/{endpoint['id']}/test", None, Idempotency_Key="test-1")
    assert again.json()["id"] == answer.json()["id"]
    timeline = await alice.get(f"/notifications/{answer.json()['id']}/timeline")
    assert timeline["entries"][0]["kind"] == "accepted"
    assert (await alice.get("/notifications"))["items"] == []
    assert (await alice.get("/stats"))["total"] == 0


async def test_what_to_replay_has_to_be_said(alice: Caller) -> None:
    endpoint = await made(alice)
    path = f"/webhook-endpoints/{endpoint['id']}/replay"
    both = {"delivery_id": f"dlv_{'0' * 32}", "since": "2026-11-20T00:00:00Z"}
    for body in ({}, both):
        assert problem(await alice.post(path, body)) == (422, "selection_required", ["/since"])
    assert problem(await alice.post(path, {"delivery_id": f"dlv_{'0' * 32}"}))[:2] == (404, "not_found")
    assert problem(await alice.post(path, {"since": "2026-01-01T00:00:00Z"})) == (422, "invalid_range", ["/until"])
    span = {"since": "2026-11-20T00:00:00Z", "until": "2026-11-20T01:00:00Z"}
    answer = await alice.post(path, span, Idempotency_Key="replay-1")
    assert (answer.status_code, answer.json()["count"], answer.json()["until"]) == (202, 0, None)
    again = await alice.post(path, span, Idempotency_Key="replay-1")
    assert again.json()["id"] == answer.json()["id"]


async def test_a_message_goes_to_an_endpoint_or_nowhere(alice: Caller, decoy: Caller) -> None:
    await made(alice)
    await made(decoy, "https://decoy.example.com/")
    same = "HTTPS://Shop.Example.com:443/hooks"
    assert (await alice.send(channel="webhook", metadata={"webhook_url": same})).status_code == 202
    place = ["/metadata/webhook_url"]
    for url in ("https://decoy.example.com/", "https://evil.example.com/", "http://127.0.0.1/", "nonsense"):
        answer = await alice.send(channel="webhook", metadata={"webhook_url": url})
        assert problem(answer) == (422, "no_such_endpoint", place), url
    assert problem(await alice.send(channel="webhook", metadata={"webhook_url": 5})) == (422, "url_not_allowed", place)
    assert problem(await alice.send(channel="webhook", metadata={}))[1] == "recipient_required"
    contact = await alice.wire.put("/api/v1/contacts/ada", json={"addresses": {"webhook": same}})
    assert contact.json()["addresses"] == {"webhook": URL}
    assert (await alice.send(channel="webhook", user_id="ada", metadata={})).status_code == 202


async def crowd(database: Database, caller: Caller, count: int) -> None:
    await change(
        database,
        "INSERT INTO webhook_endpoints (tenant_id, url, rate_per_minute, secret, secret_key_id, event_life) "
        "SELECT %s, 'https://e.com/' || n, 1, 'x', 'x', interval '1 h' FROM generate_series(1, %s) n",
        caller.tenant.id,
        count,
    )


async def test_a_tenant_has_so_many_endpoints(alice: Caller, database: Database) -> None:
    await made(alice)
    await crowd(database, alice, 49)
    answer = await alice.post("/webhook-endpoints", {"url": URL + "/more"})
    assert problem(answer)[:2] == (422, "too_many_endpoints")
    first = await alice.get("/webhook-endpoints", limit=30)
    second = await alice.get("/webhook-endpoints", limit=30, cursor=first["next_cursor"])
    assert len({one["id"] for one in first["items"] + second["items"]}) == 50
    assert second["next_cursor"] is None


async def test_not_one_more_when_they_are_asked_for_at_once(alice: Caller, database: Database) -> None:
    await crowd(database, alice, 49)
    bodies = [{"url": f"{URL}/{n}"} for n in range(12)]
    answers = await asyncio.gather(*(alice.post("/webhook-endpoints", body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 11


@pytest.mark.parametrize("body", [b"{", b'{"a": "\xff"}', b"[" * 100_000, b"9" * 5_000])
@pytest.mark.parametrize(("action", "status"), [("rotate-secret", 200), ("test", 202)])
async def test_an_action_reads_no_body_under_a_key_either(alice: Caller, body: bytes, action: str, status: int) -> None:
    endpoint = await made(alice)
    headers = {"Idempotency-Key": "once", "Content-Type": "application/json"}
    path = f"/api/v1/webhook-endpoints/{endpoint['id']}/{action}"
    first = await alice.wire.post(path, content=body, headers=headers)
    again = await alice.wire.post(path, headers=headers)
    assert (first.status_code, again.status_code) == (status, status)
    assert first.json() == again.json()


async def test_scopes(database: Database, settings: Settings, api_url: str, tenants: Tenants) -> None:
    async with calling(database, settings, api_url, tenants.alice, [Scope.WEBHOOKS_READ]) as reader:
        assert (await reader.get("/webhook-endpoints"))["items"] == []
        assert problem(await reader.post("/webhook-endpoints", {"url": URL}))[:2] == (403, "insufficient_scope")
    async with calling(database, settings, api_url, tenants.alice, [Scope.NOTIFICATIONS_READ]) as other:
        answer = await other.wire.get("/api/v1/webhook-endpoints")
        assert problem(answer)[:2] == (403, "insufficient_scope")
