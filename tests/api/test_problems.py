"""Whatever is refused is refused in one shape, and nothing of ours shows through."""

import asyncio
import logging
from typing import Any

import pytest

from api.app import create_app
from postroom.database.engine import Database
from postroom.settings import Settings
from tests.api.conftest import LETTER, Caller, calling, problem
from tests.fixtures.database import Tenants
from tests.fixtures.plain_http import plain_client
from tests.fixtures.serving import serving


async def test_what_is_not_there(alice: Caller) -> None:
    for path in ("/api/v1/nothing", "/nothing", "/api/v1/notifications/", "/api/v2/notifications"):
        assert problem(await alice.wire.get(path)) == (404, "not_found", [])


async def test_what_is_not_done_there(alice: Caller) -> None:
    answer = await alice.wire.delete("/api/v1/notifications")
    assert problem(answer) == (405, "method_not_allowed", [])
    assert answer.headers["allow"] == "GET, POST"
    assert (await alice.wire.delete("/api/v1/contacts/ada")).headers["allow"] == "GET, PATCH, PUT"
    assert problem(await alice.wire.request("TRACE", "/api/v1/notifications"))[0] == 405


async def test_malformed_json(alice: Caller) -> None:
    for path, method in (("/notifications", "POST"), ("/contacts/ada", "PUT")):
        for body in (b'{"a": ', b"[" * 200_000, b'{"language": %s}' % (b"9" * 5_000)):
            answer = await alice.wire.request(
                method, f"/api/v1{path}", content=body, headers={"Content-Type": "application/json"}
            )
            assert problem(answer) == (400, "malformed_json", [])
            assert answer.json()["detail"] == "The body is not valid JSON."


async def test_fields_beyond_reading_are_counted_and_not_named(alice: Caller) -> None:
    nonsense = {f"field_{number}": 1 for number in range(20_000)}
    for method, path in (("POST", "/notifications"), ("PUT", "/contacts/ada")):
        answer = await alice.wire.request(method, f"/api/v1{path}", json=nonsense)
        assert problem(answer) == (422, "invalid_request", [])
        assert answer.json()["detail"].startswith("2000"), answer.json()["detail"]
        few = await alice.wire.request(method, f"/api/v1{path}", json=dict(list(nonsense.items())[:50]))
        assert len(few.json()["errors"]) >= 50


async def test_a_body_that_is_missing(alice: Caller) -> None:
    answer = await alice.wire.post("/api/v1/notifications/notif_" + "0" * 32 + "/reschedule")
    assert problem(answer)[:2] == (422, "field_required")


async def test_what_is_wrong_with_a_field_is_said_in_a_sentence(alice: Caller) -> None:
    """Of the house's own: the validating library's are for programmers."""
    wrong: dict[str, Any] = {
        "name": "",
        "rule": [],
        "content": {"variants": [{"label": 1, "template": "x" * 65}]},
        "channel": "sms",
        "pace": {"per_minute": 0},
        "tracking": {"opens": "no"},
        "campaign_id": None,
    }
    answer = await alice.post("/tasks", wrong)
    said = {one["pointer"]: one["detail"] for one in answer.json()["errors"]}
    assert said == {
        "/name": "At least 1 character.",
        "/rule": "This must be an object.",
        "/content/variants/0/label": "This must be a text.",
        "/content/variants/0/template": "At most 64 characters.",
        "/channel": "One of email, in_app and webhook.",
        "/pace/per_minute": "At least 1.",
        "/tracking/opens": "This must be true or false.",
        "/campaign_id": "This must be a text.",
    }
    few = await alice.post("/tasks", {**wrong, "content": {"variants": []}})
    assert "At least 2 of them." in [one["detail"] for one in few.json()["errors"]]
    for query, sentence in (("limit=x", "This must be a whole number."), ("limit=900", "At most 200.")):
        asked = await alice.wire.get(f"/api/v1/campaigns?{query}")
        assert (problem(asked)[0], asked.json()["errors"][0]["detail"]) == (422, sentence)
    empty = await alice.wire.post("/api/v1/campaigns")
    assert (problem(empty)[:2], empty.json()["detail"]) == ((422, "field_required"), "A body is required.")
    hashed = await alice.post(f"/tasks/task_{'0' * 32}/approve", {"content_hash": "x", "audience": 1})
    assert problem(hashed) == (422, "wrong_format", ["/content_hash"])


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
async def test_other_media_types(alice: Caller, media_type: str) -> None:
    answer = await alice.wire.post("/api/v1/notifications", content=b"{}", headers={"Content-Type": media_type})
    assert problem(answer) == (415, "unsupported_media_type", [])


async def test_a_body_is_bounded_even_when_its_length_is_not_said(settings: Settings) -> None:
    small = settings.model_copy(update={"body_limit_bytes": 10_000})
    async with serving(create_app(small)) as url, plain_client(base_url=url) as wire:
        said = await wire.post(
            "/api/v1/notifications", content=b" " * 10_001, headers={"Content-Type": "application/json"}
        )
        assert problem(said) == (413, "payload_too_large", [])
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /api/v1/notifications HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(11):
            writer.write(b"3e8\r\n" + b" " * 1_000 + b"\r\n")
        async with asyncio.timeout(5):  # the body never ends; the answer comes all the same
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.close()


async def test_a_body_that_drips_has_its_time_as_a_whole(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.bodies.WHOLE_SECONDS", 0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api_url.rpartition(":")[2]))
    writer.write(b"POST /api/v1/notifications HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    answer = asyncio.create_task(reader.readline())
    async with asyncio.timeout(5):
        while not answer.done():
            writer.write(b" ")
            await asyncio.sleep(0.05)
    assert (await answer).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_a_request_has_an_id_that_the_caller_may_choose(alice: Caller) -> None:
    chosen = await alice.wire.get("/api/v1/nothing", headers={"X-Request-Id": "order-17"})
    assert chosen.headers["x-request-id"] == "order-17"
    assert chosen.json()["instance"] == "urn:postroom:request:order-17"
    forged = await alice.wire.get("/api/v1/nothing", headers={"X-Request-Id": "a b<script>"})
    assert forged.headers["x-request-id"] not in {"", "a b<script>"}


async def test_a_defect_of_ours_shows_nothing(
    settings: Settings, database: Database, tenants: Tenants, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings)

    @app.get("/api/v1/broken")
    async def broken() -> None:
        raise RuntimeError("secret of the house")

    async with serving(app) as url, calling(database, settings, url, tenants.alice) as alice:
        answer = await alice.wire.get("/api/v1/broken")
    assert problem(answer) == (500, "internal_error", [])
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in caplog.text


async def test_the_log_names_routes_and_never_people(alice: Caller, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "api.access"):
        await alice.send(user_id="ada-lovelace")
        await alice.wire.get("/api/v1/users/ada-lovelace/notifications")
    lines = [record.getMessage() for record in caplog.records if record.name == "api.access"]
    assert lines[0].startswith("POST /notifications 202 ")
    assert "/users/{user_id}/notifications 200" in lines[1]
    text = "\n".join(lines)
    assert f"tenant={alice.tenant.slug}" in text
    for private in ("ada", LETTER["metadata"]["email"], alice.key):
        assert private not in text


async def test_the_connection_survives_a_refusal(api_url: str) -> None:
    async with plain_client(base_url=api_url) as wire:
        assert (await wire.post("/api/v1/notifications", json=LETTER)).status_code == 401
        assert (await wire.get("/health")).status_code == 200
