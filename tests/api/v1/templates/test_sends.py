"""Sends that speak with a template: the newest approved version is pinned, and the variables are held to it."""

from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.templates.content import Content
from tests.api.conftest import Caller, problem
from tests.api.v1.notifications.test_batch_variables import failures
from tests.api.v1.templates.test_reviews import step
from tests.api.v1.templates.test_routes import made, saved, script, unreviewed
from tests.fixtures.rows import rows

WRITTEN = """
SELECT p.*, n.user_id, n.state, n.reason FROM notification_contents p JOIN notifications n ON n.id = p.notification_id
WHERE p.tenant_id = %s ORDER BY n.user_id, n.id
"""
VARIABLES = [
    "name",
    {"name": "count", "type": "number", "default": 1},
    {"name": "when", "type": "date", "required": False},
]
SAYS = "Hello {{ name }}: {{ count }} {{ when }}"
LETTER = {"user_id": "ada", "channel": "email"}


async def welcome(caller: Caller, **changes: Any) -> dict[str, Any]:
    """Make an approved template with variables."""
    await unreviewed(caller)
    return await made(caller, **{"title": "Hello", "content": SAYS, "variables": VARIABLES, **changes})


async def sent(caller: Caller, path: str = "/notifications", **changes: Any) -> Any:
    answer = await caller.post(path, {**LETTER, **changes})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def written(database: Database, caller: Caller) -> list[dict[str, Any]]:
    return await rows(database, WRITTEN, caller.tenant.id)


async def test_the_newest_approved_version_is_pinned(alice: Caller, database: Database) -> None:
    template = await welcome(alice)
    by_id = await sent(alice, template_id=template["id"], variables={"name": "Ada"}, language="zh_CN")
    await saved(alice, "welcome", content="Hi {{ name }}")
    by_name = await sent(alice, template="welcome", variables={"name": "Ada", "spare": 1}, delay=3600)
    seeds = await sent(alice, "/notifications/send", template_id="welcome", variables={"name": "张三"})
    assert (await step(alice, "welcome", "retire", 2)).status_code == 200
    older = await sent(alice, template="welcome", variables={"name": "Ada"})
    pinned = {row["notification_id"].hex: row for row in await written(database, alice)}
    versions = [pinned[one["id"].removeprefix("notif_")] for one in (by_id, by_name, seeds, older)]
    assert [row["template_version"] for row in versions] == [1, 2, 2, 1]
    assert {row["template_id"].hex for row in versions} == {template["id"].removeprefix("tmpl_")}
    assert {(row["title"], row["body_text"], row["body_html"]) for row in versions} == {(None, None, None)}
    assert [row["variables"] for row in versions[:2]] == [{"name": "Ada"}, {"name": "Ada", "spare": 1}]
    assert [row["language"] for row in versions[:2]] == ["zh-CN", None]


async def test_what_was_accepted_stays_with_its_version(alice: Caller, database: Database) -> None:
    template = await welcome(alice)
    waiting = await sent(alice, template="welcome", variables={"name": "Ada"}, delay=3600)
    await saved(alice, "welcome", content="Hi {{ name }}")
    for number in (1, 2):
        assert (await step(alice, "welcome", "retire", number)).status_code == 200
    assert (await alice.wire.delete("/api/v1/templates/welcome")).status_code == 204
    [row] = await written(database, alice)
    stored = "SELECT content FROM template_versions WHERE template_id = %s AND version = %s"
    [version] = await rows(database, stored, row["template_id"], row["template_version"])
    assert Content.read(version["content"]).variants[0].languages["en"].text == SAYS
    shown = await alice.get(f"/notifications/{waiting['id']}")
    assert shown["template"] == {
        "id": template["id"],
        "version": 1,
        "language": None,
        "variables": {"name": "Ada"},
    }
    told = await alice.get(f"/notifications/{waiting['id']}/timeline")
    pinned = next(one for one in told["entries"] if one["kind"] == "template_pinned")
    assert pinned["detail"] == {"template": template["id"], "version": 1}


@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"template": "nobody"}, "template_not_found", "/template"),
        ({"template_id": "tmpl_" + "0" * 32}, "template_not_found", "/template_id"),
        ({"template_set": "nobody"}, "template_not_found", "/template_set"),
        ({"template": "welcome"}, "variable_missing", "/variables/name"),
        ({"template": "welcome", "variables": {"name": None}}, "variable_invalid", "/variables/name"),
        ({"template": "welcome", "variables": {"name": "x", "count": "1"}}, "variable_invalid", "/variables/count"),
        ({"template": "welcome", "variables": {"name": "x", "when": "soon"}}, "variable_invalid", "/variables/when"),
        (
            {"template": "welcome", "variables": {"name": "x"}, "channel": "in_app"},
            "template_channel_mismatch",
            "/template",
        ),
        ({"template": "welcome", "title": "Hello"}, "template_or_content", "/title"),
        ({"template": "welcome", "content": "Hello"}, "template_or_content", "/content"),
        ({"template": "welcome", "template_id": "welcome"}, "template_or_content", "/template_id"),
        ({"template": "welcome", "language": "english, please"}, "invalid_language", "/language"),
        ({"title": "Hello", "content": "x", "variables": {}}, "template_required", "/variables"),
        ({"title": "Hello", "content": "x", "language": "de"}, "template_required", "/language"),
        ({"title": "Hello"}, "field_required", "/content"),
        ({"template": "welcome", "variables": {"name": "x" * 20_000}}, "variables_too_large", "/variables"),
        ({"template": "draft"}, "template_not_approved", "/template"),
    ],
)
async def test_what_cannot_be_said(alice: Caller, changes: dict[str, Any], code: str, place: str) -> None:
    await welcome(alice)
    await made(alice, name="draft", status="draft")
    answer = await alice.post("/notifications", {**LETTER, **changes})
    assert problem(answer) == (422, code, [place])
    assert (await alice.get("/notifications"))["items"] == []


async def test_shared_variables_fill_what_is_not_given(alice: Caller) -> None:
    await welcome(alice)
    await alice.wire.put("/api/v1/settings/variables", json={"variables": {"name": "customer"}})
    await sent(alice, template="welcome")


async def test_words_for_mail_go_over_the_other_channels_too(alice: Caller) -> None:
    await welcome(alice)
    await made(alice, name="note", channel="in_app", title="Note", content="Hi")
    both = {"user_id": "ada", "channels": ["email", "in_app"]}
    assert (await alice.post("/notifications", both | {"template": "welcome", "variables": {"name": "x"}})).is_success
    refused = await alice.post("/notifications", both | {"template": "note"})
    assert problem(refused) == (422, "template_channel_mismatch", ["/template"])
    assert (await alice.post("/notifications", {**both, "channels": ["in_app"], "template": "note"})).is_success


async def test_the_key_covers_template_and_variables(alice: Caller, database: Database) -> None:
    await welcome(alice)
    body = {**LETTER, "template": "welcome", "variables": {"name": "Ada"}}
    first = await alice.post("/notifications", body, Idempotency_Key="send-1")
    await step(alice, "welcome", "retire")
    again = await alice.post("/notifications", body, Idempotency_Key="send-1")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    other = await alice.post("/notifications", {**body, "variables": {"name": "Eve"}}, Idempotency_Key="send-1")
    assert problem(other) == (422, "idempotency_key_reused", [])
    assert len(await written(database, alice)) == 1


async def test_a_batch_in_the_older_shape(alice: Caller, database: Database) -> None:
    await welcome(alice)
    body = {"user_ids": ["a", "b"], "channel": "email", "template_id": "welcome", "variables": {"name": "all"}}
    job = (await alice.post("/notifications/batch", body)).json()
    assert job["counts"]["open"] == 2
    assert [(row["template_version"], row["variables"]) for row in await written(database, alice)] == [
        (1, {"name": "all"})
    ] * 2
    lacking = await alice.post("/notifications/batch", {**body, "variables": {}})
    assert problem(lacking) == (422, "variable_missing", ["/variables/name"])
    wrong = await alice.post("/notifications/batch", {**body, "variables": {"name": "x", "count": "x"}})
    assert problem(wrong) == (422, "variable_invalid", ["/variables/count"])


async def test_who_lacks_a_variable_fails_alone(alice: Caller, database: Database) -> None:
    await welcome(alice)
    people: list[dict[str, Any]] = [
        {"user_id": "a", "variables": {"name": "Ada"}},
        {"user_id": "b", "variables": {"count": 3}},
        {"user_id": "c", "variables": {"name": "Cleo", "count": "x"}},
        {"user_id": "d", "variables": {"name": "Dora", "count": 4}, "metadata": {"email": "d@shop.de"}},
    ]
    shared = {"when": "2026-11-20", "count": 2}
    body = {"recipients": people, "channel": "email", "template": "welcome", "variables": shared, "language": "de"}
    answer = await alice.post("/notifications/batch", body)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["counts"]["open"], job["counts"]["failed"]) == (2, 2)
    assert sorted(await failures(alice, job)) == [("b", "variable_missing"), ("c", "variable_invalid")]
    contents = await written(database, alice)
    assert [row["variables"] for row in contents if row["state"] == "open"] == [
        {"when": "2026-11-20", "count": 2, "name": "Ada"},
        {"when": "2026-11-20", "count": 4, "name": "Dora"},
    ]
    assert {row["language"] for row in contents} == {"de"}
    told = await alice.get(f"/notifications/notif_{contents[1]['notification_id'].hex}/timeline")
    assert "name in variables" in next(one["summary"] for one in told["entries"] if one["kind"] == "no_words")


async def test_a_set_takes_turns_by_person(alice: Caller, database: Database) -> None:
    await welcome(alice)
    second = await made(alice, name="second", title="Hi", content="Hi {{ name }}")
    entries = {"name": "turns", "entries": [{"template": "welcome"}, {"template": "second"}]}
    made_set = (await alice.post("/template-sets", entries)).json()
    people = [f"user_{number:03}" for number in range(60)]
    body = {"user_ids": people, "channel": "email", "template_set": "turns", "variables": {"name": "x"}}
    assert (await alice.post("/notifications/batch", body)).status_code == 202
    first = {row["user_id"]: row["template_id"] for row in await written(database, alice)}
    assert 15 <= [one.hex for one in first.values()].count(second["id"].removeprefix("tmpl_")) <= 45
    await sent(alice, user_id="user_007", template_set=made_set["id"], variables={"name": "x"})
    again = [row["template_id"] for row in await written(database, alice) if row["user_id"] == "user_007"]
    assert again == [first["user_007"]] * 2
    await step(alice, "second", "retire")
    refused = await alice.post("/notifications/batch", body)
    assert problem(refused) == (422, "template_not_approved", ["/template_set"])


async def test_results_are_counted_by_variant_and_language(alice: Caller, database: Database) -> None:
    await unreviewed(alice)
    variants = [{"name": "a", "languages": {"en": script()}}, {"name": "b", "languages": {"en": script("Hi")}}]
    body = {"name": "test", "channel": "email", "variants": variants}
    assert (await alice.post("/templates", body)).json()["active_version"] == 1
    for number in range(3):
        one = await sent(alice, template="test", user_id=f"u{number}")
        async with database.system_transaction() as connection:
            await connection.execute(
                "INSERT INTO deliveries (tenant_id, notification_id, position, channel, expires_at, state, ended_at, "
                "template_variant, language) SELECT tenant_id, id, 0, 'email', expires_at, %s, now(), %s, 'en' "
                "FROM notifications WHERE id = %s::uuid",
                ("rejected" if number else "accepted", "ab"[number % 2], one["id"].removeprefix("notif_")),
            )
    assert (await alice.get("/templates/test/results"))["items"] == [
        {"version": 1, "variant": "a", "language": "en", "total": 2, "counts": {"accepted": 1, "rejected": 1}},
        {"version": 1, "variant": "b", "language": "en", "total": 1, "counts": {"rejected": 1}},
    ]
