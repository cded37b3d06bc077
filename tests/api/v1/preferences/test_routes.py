"""What a person said is written, read back, told apart from what applies, and every change is noted."""

from typing import Any
from urllib.parse import quote

import pytest

from postroom.identity import API_KEY
from postroom.subscriptions import service
from tests.api.conftest import Caller, problem

NEWS = {"group": "offers", "class": "marketing", "defaults": {"channels": {"in_app": False}, "frequency": "daily"}}
FAR = "2126-01-01T00:00:00Z"
NO_NEWS = {"notification_type": "news", "channel": "email", "enabled": False}


async def put(caller: Caller, user_id: str, body: Any) -> Any:
    return await caller.wire.put(f"/api/v1/contacts/{quote(user_id, safe='')}/preferences", json=body)


async def changes(caller: Caller, user_id: str) -> list[tuple[Any, ...]]:
    items = (await caller.get(f"/contacts/{user_id}/preferences/changes"))["items"]
    return [(one["subject"], one["notification_type"], one["channel"], one["before"], one["after"]) for one in items]


async def applied(caller: Caller, user_id: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    items = (await caller.get(f"/contacts/{user_id}/preferences"))["effective"]
    return {
        (one["notification_type"], one["channel"]): (one["enabled"], one["frequency"], one["because"]) for one in items
    }


@pytest.fixture
async def news(alice: Caller) -> None:
    """A declared type."""
    assert (await alice.wire.put("/api/v1/notification-types/news", json=NEWS)).status_code == 201


async def test_of_most_people_nothing_is_known(alice: Caller, news: None) -> None:
    read = await alice.get("/contacts/nobody/preferences")
    assert (read["user_id"], read["paused_until"], read["preferences"]) == ("nobody", None, [])
    assert (await applied(alice, "nobody"))["news", "in_app"] == (False, "daily", "default")
    assert problem(await alice.wire.get("/api/v1/contacts/nobody"))[:2] == (404, "not_found")


async def test_written_whole_and_read_back(alice: Caller, news: None) -> None:
    wide = {"notification_type": "group:offers", "channel": "*", "frequency": "weekly"}
    written = await put(alice, "ada", {"preferences": [NO_NEWS, wide]})
    assert written.status_code == 200
    said = {(one["notification_type"], one["channel"]): one for one in written.json()["preferences"]}
    assert said["news", "email"]["frequency"] == "daily"  # the type's own, where none was named
    assert (said["group:offers", "*"]["enabled"], said["group:offers", "*"]["frequency"]) == (True, "weekly")
    assert await applied(alice, "ada") == {
        ("news", "email"): (False, "daily", "type"),
        ("news", "in_app"): (True, "weekly", "group"),
        ("news", "webhook"): (True, "weekly", "group"),
    }
    await put(alice, "ada", {"preferences": [wide]})
    assert (await applied(alice, "ada"))["news", "email"] == (True, "weekly", "group")


async def test_every_change_is_noted_with_its_author(alice: Caller, news: None) -> None:
    await put(alice, "ada", {"preferences": [NO_NEWS]})
    await put(alice, "ada", {"preferences": [NO_NEWS]})  # nothing is another
    await put(alice, "ada", {"paused_until": "forever"})
    off = {"enabled": False, "frequency": "daily"}
    assert await changes(alice, "ada") == [
        ("pause", None, None, None, "forever"),
        ("preference", "news", "email", off, None),
        ("preference", "news", "email", None, off),
    ]
    last = (await alice.get("/contacts/ada/preferences/changes", limit=1))["items"]
    assert [(one["by"], one["api_key_id"].partition("_")[0]) for one in last] == [("api_key", API_KEY)]


@pytest.mark.parametrize(
    ("asked", "read"),
    [("forever", "forever"), (None, None), ("2020-01-01T00:00:00Z", None), (FAR, FAR)],
)
async def test_a_pause(alice: Caller, asked: str | None, read: str | None) -> None:
    await put(alice, "ada", {"paused_until": "2100-01-01T00:00:00Z"})
    assert (await put(alice, "ada", {"paused_until": asked})).json()["paused_until"] == read
    assert (await alice.get("/contacts/ada/preferences"))["paused_until"] == read


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ({"paused_until": "tomorrow"}, "invalid_time", ["/paused_until"]),
        ({"paused_until": "9999-12-31T23:59:59Z"}, "out_of_range", ["/paused_until"]),
        ({"preferences": [{"channel": "fax"}]}, "unknown_value", ["/preferences/0/channel"]),
        ({"preferences": [{"frequency": "never"}]}, "unknown_value", ["/preferences/0/frequency"]),
        ({"preferences": [{"enabled": "no"}]}, "wrong_type", ["/preferences/0/enabled"]),
        ({"preferences": [NO_NEWS, {}, NO_NEWS]}, "duplicate_preference", ["/preferences/2"]),
        ({"preferences": [{"quiet_hours": {}}]}, "unknown_field", ["/preferences/0/quiet_hours"]),
    ],
)
async def test_what_is_refused(alice: Caller, body: Any, code: str, place: list[str]) -> None:
    assert problem(await put(alice, "ada", body)) == (422, code, place)
    assert (await alice.get("/subscriptions", user_id="ada"))["items"] == []


@pytest.mark.parametrize("user_id", ["a/b", "ä ö", "preferences", "x/preferences", "a?b#c"])
async def test_a_name_is_the_tenants_own_business(alice: Caller, user_id: str) -> None:
    assert (await put(alice, user_id, {"preferences": [NO_NEWS]})).json()["user_id"] == user_id
    assert len((await alice.get("/subscriptions", user_id=user_id))["items"]) == 1


async def test_subscriptions_are_the_same_rows(alice: Caller, news: None) -> None:
    ada = {"user_id": "ada"}
    one = await alice.wire.put("/api/v1/subscriptions", json=NO_NEWS, params=ada)
    assert [item["enabled"] for item in one.json()["items"]] == [False]
    several = {"subscriptions": [{**NO_NEWS, "enabled": True}, {"notification_type": "other", "frequency": "hourly"}]}
    for _ in range(2):
        many = await alice.wire.post("/api/v1/subscriptions", json=several, params=ada)
        assert {(item["notification_type"], item["channel"], item["enabled"]) for item in many.json()["items"]} == {
            ("news", "email", True),
            ("other", "*", True),
        }
    place = {"user_id": "ada", "notification_type": "other"}
    for _ in range(2):
        assert (await alice.wire.delete("/api/v1/subscriptions", params=place)).status_code == 204
    left = await alice.get("/contacts/ada/preferences")
    assert [item["notification_type"] for item in left["preferences"]] == ["news"]
    assert problem(await alice.wire.get("/api/v1/subscriptions"))[:2] == (422, "field_required")


async def test_there_is_an_end_to_what_one_can_say(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST", 2)
    await put(alice, "ada", {"preferences": [NO_NEWS]})
    more = {"subscriptions": [{"notification_type": name} for name in ("a", "b")]}
    refused = await alice.wire.post("/api/v1/subscriptions", params={"user_id": "ada"}, json=more)
    assert problem(refused)[:2] == (422, "too_many_preferences")
    assert len((await alice.get("/subscriptions", user_id="ada"))["items"]) == 1
