"""A type is declared once; its class is the class of what is sent under it, and stays."""

from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from postroom.database.engine import Database
from postroom.identity import NOTIFICATION, parse_id
from postroom.subscriptions import declaring
from tests.api.conftest import LETTER, Caller, problem
from tests.fixtures.rows import rows

NEWS = {"group": "marketing", "class": "marketing", "description": "What is new", "defaults": {"frequency": "weekly"}}
CLASS = "SELECT class, expires_at - due_at AS life FROM notifications WHERE id = %s"


async def put(caller: Caller, name: str, body: Any) -> Any:
    return await caller.wire.put(f"/api/v1/notification-types/{quote(name, safe='')}", json=body)


async def declared(caller: Caller, name: str, **changes: Any) -> None:
    assert (await put(caller, name, {**NEWS, **changes})).status_code in {200, 201}


async def test_declared_twice_is_declared_once(alice: Caller) -> None:
    first, second = await put(alice, "news", NEWS), await put(alice, "news", {**NEWS, "group": "offers"})
    assert (first.status_code, second.status_code) == (201, 200)
    read = await alice.get("/notification-types/news")
    assert (read["name"], read["group"], read["class"], read["created_at"]) == (
        "news", "offers", "marketing", first.json()["created_at"],
    )  # fmt: skip
    assert read["defaults"] == {"enabled": True, "channels": {}, "frequency": "weekly"}
    assert [one["name"] for one in (await alice.get("/notification-types"))["items"]] == ["news"]


async def test_a_class_stays(alice: Caller) -> None:
    await declared(alice, "news")
    assert problem(await put(alice, "news", {**NEWS, "class": "transactional"}))[:2] == (409, "class_is_fixed")
    assert (await alice.get("/notification-types/news"))["class"] == "marketing"


async def test_a_type_can_go(alice: Caller) -> None:
    await declared(alice, "a/b ö")
    path = f"/api/v1/notification-types/{quote('a/b ö', safe='')}"
    assert (await alice.wire.delete(path)).status_code == 204
    assert problem(await alice.wire.delete(path))[:2] == (404, "not_found")
    assert problem(await alice.wire.get(path))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("name", "changes", "refusal"),
    [
        ("*", {}, ("reserved_name", "name")),
        ("group:x", {}, ("reserved_name", "name")),
        ("x" * 65, {}, ("too_long", "name")),
        ("n", {"class": "spam"}, ("unknown_value", "/class")),
        ("n", {"group": ""}, ("too_short", "/group")),
        ("n", {"defaults": {"channels": {"fax": True}}}, ("unknown_value", "/defaults/channels/fax/[key]")),
        ("n", {"defaults": {"enabled": "yes"}}, ("wrong_type", "/defaults/enabled")),
        ("n", {"defaults": {"frequency": "never"}}, ("unknown_value", "/defaults/frequency")),
        ("n", {"description": "a\nb"}, ("invalid_characters", "/description")),
        ("n", {"tenant_id": "x"}, ("unknown_field", "/tenant_id")),
    ],
)
async def test_what_is_refused(alice: Caller, name: str, changes: Any, refusal: tuple[str, str]) -> None:
    code, place = refusal
    assert problem(await put(alice, name, {**NEWS, **changes})) == (422, code, [place])


async def test_there_is_an_end_to_types(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaring, "MOST", 2)
    for name in ("a", "b"):
        await declared(alice, name)
    assert problem(await put(alice, "c", NEWS))[:2] == (422, "too_many_notification_types")
    await declared(alice, "b", group="other")


async def test_what_is_sent_has_the_class_of_its_type(alice: Caller, decoy: Caller, database: Database) -> None:
    await declared(decoy, "code", **{"class": "security"})
    plain = await alice.sent(notification_type="code")
    await declared(alice, "news")
    await declared(alice, "alarm", **{"class": "security"})
    named = await alice.sent(notification_type="news", **{"class": "marketing"})
    ids = [plain, await alice.sent(notification_type="news"), named, await alice.sent(notification_type="alarm")]
    found = [(await rows(database, CLASS, parse_id(NOTIFICATION, one)))[0] for one in ids]
    assert [row["class"] for row in found] == ["transactional", "marketing", "marketing", "security"]
    assert found[0]["life"] == 72 * found[3]["life"]  # a class has its own time to live


async def test_a_contradiction_is_refused(alice: Caller) -> None:
    await declared(alice, "news")
    named = {"notification_type": "news", "class": "transactional"}
    assert problem(await alice.send(**named)) == (422, "class_conflicts_with_type", ["/class"])
    batch = {"user_ids": ["ada"], "channel": "email", "title": "Hi", "content": "x", **named}
    assert problem(await alice.post("/notifications/batch", batch)) == (422, "class_conflicts_with_type", ["/class"])


async def test_a_batch_has_the_class_of_its_type(alice: Caller) -> None:
    await declared(alice, "news")
    batch = {"user_ids": ["ada"], "channel": "email", "title": "Hi", "content": "x", "notification_type": "news"}
    job = (await alice.post("/notifications/batch", batch)).json()["job_id"]
    [item] = (await alice.get("/notifications", job_id=job))["items"]
    assert item["class"] == "marketing"


async def test_a_repeated_request_keeps_its_answer(alice: Caller) -> None:
    body = {**LETTER, "notification_type": "later", "class": "transactional"}
    first = await alice.post("/notifications", body, Idempotency_Key="one")
    await declared(alice, "later")
    again = await alice.post("/notifications", body, Idempotency_Key="one")
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])


async def test_no_send_asks_for_types_but_the_first_that_names_one(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    execute = psycopg.AsyncConnection.execute

    async def noted(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(str(query))
        return await execute(self, query, *arguments, **options)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", noted)
    many = {"channel": "in_app", "title": "Hi", "content": {"text": "-"}, "recipients": [{"user_id": "ada"}]}
    for kind, readings in (({}, 0), ({"notification_type": "nobody_declared_it"}, 1)):
        asked.clear()
        for _ in range(3):
            await alice.sent(**kind)
            assert (await alice.post("/notifications/batch", {**many, **kind})).status_code == 202
        assert sum("notification_types" in one for one in asked) == readings
        assert sum("INSERT INTO jobs" in one for one in asked) == 3  # it sees what is asked
