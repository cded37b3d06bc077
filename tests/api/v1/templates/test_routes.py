"""Templates over the API: written in every shape, changed into versions, found by id and name, archived."""

from typing import Any

import pytest

from postroom.database.engine import Database
from tests.api.conftest import Caller, problem
from tests.fixtures.rows import rows

SEED = {
    "name": "欢迎邮件",
    "title": "欢迎使用{{product_name}}",
    "content": "您好{{user_name}}，欢迎注册{{product_name}}...",  # noqa: RUF001 - as it is written there
    "channel": "email",
    "variables": ["user_name", "product_name"],
}
SIMPLE = {"name": "welcome", "channel": "email", "title": "Hello {{ name }}", "content": "Good day, {{ name }}."}


def script(text: str = "Good day.", **more: Any) -> dict[str, Any]:
    return {"title": "Hello", "text": text, **more}


async def made(caller: Caller, **changes: Any) -> dict[str, Any]:
    """Make a template that is fine."""
    answer = await caller.post("/templates", {**SIMPLE, **changes})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def saved(caller: Caller, ref: str, **changes: Any) -> Any:
    return await caller.wire.put(f"/api/v1/templates/{ref}", json={**SIMPLE, **changes})


async def unreviewed(caller: Caller) -> None:
    """Switch the tenant's review off."""
    answer = await caller.wire.put("/api/v1/settings/review", json={"required": False})
    assert answer.status_code == 200, answer.text


def words(template: dict[str, Any], language: str = "en") -> dict[str, Any]:
    found: dict[str, Any] = template["newest"]["variants"][0]["languages"][language]
    return found


async def test_the_older_shape_is_understood(alice: Caller) -> None:
    answer = await alice.post("/templates", {**SEED, "status": "active", "tenant_id": alice.tenant.slug})
    template = answer.json()
    assert (answer.status_code, template["status"], template["active_version"]) == (201, "in_review", None)
    assert [(one["name"], one["type"], one["required"]) for one in template["newest"]["variables"]] == [
        ("user_name", "any", True),
        ("product_name", "any", True),
    ]
    assert words(template)["title"] == SEED["title"]
    assert (await alice.get("/templates/欢迎邮件"))["id"] == template["id"]
    await unreviewed(alice)
    second = (await alice.post("/templates", {**SEED, "name": "second", "status": "active"})).json()
    assert (second["status"], second["active_version"]) == ("active", 1)


async def test_variables_are_found_when_nobody_declares_any(alice: Caller) -> None:
    await alice.wire.put("/api/v1/settings/variables/company", json={"value": "Example Shop"})
    template = await made(alice, content="{{ name }}, {{ order.number }}, {{ company }}")
    assert [one["name"] for one in template["newest"]["variables"]] == ["name", "order"]


@pytest.mark.parametrize("name", ["größe", "a" * 65, "loop"])
async def test_a_variable_that_nobody_could_declare_is_none(alice: Caller, name: str) -> None:
    undeclared = {"name": "odd", "channel": "in_app", "title": "Hello"}
    answer = await alice.post("/templates", {**undeclared, "content": f"{{{{ {name} }}}}"})
    assert problem(answer) == (422, "invalid_variable_name", ["/content/text"])


async def test_what_is_used_is_declared(alice: Caller) -> None:
    answer = await alice.post("/templates", {**SIMPLE, "variables": [], "content": {"text": "x", "html": "{{ name }}"}})
    assert problem(answer)[:2] == (422, "template_undefined")
    assert set(problem(answer)[2]) <= {"/title", "/content/html"}
    assert "name" in answer.json()["errors"][0]["detail"]
    warned = await made(alice, variables=["name", {"name": "spare", "default": "x"}])
    assert [(one["code"], one["pointer"]) for one in warned["warnings"]] == [("variable_unused", "/variables/1")]


async def test_languages_and_variants(alice: Caller) -> None:
    languages = {"zh_CN": script("你好"), "de": script("Guten Tag")}
    variants = [
        {"name": "a", "weight": 3, "languages": languages | {"EN": script()}},
        {"name": "b", "languages": {"en": script("Hi", mjml="<mjml></mjml>")}},
    ]
    body = {"name": "greeting", "channel": "email", "variants": variants}
    template = (await alice.post("/templates", body)).json()
    assert [(one["name"], one["weight"], sorted(one["languages"])) for one in template["newest"]["variants"]] == [
        ("a", 3, ["de", "en", "zh-CN"]),
        ("b", 1, ["en"]),
    ]
    plain = {"name": "plain", "channel": "in_app", "languages": {"de": {"text": "Guten Tag"}}, "language": "de"}
    assert (await alice.post("/templates", plain)).json()["newest"]["language"] == "de"


@pytest.mark.parametrize(
    ("changes", "code", "places"),
    [
        ({"title": None}, "title_required", ["/title"]),
        ({"content": ""}, "content_required", ["/content/text"]),
        ({"content": {"html": "<p>", "mjml": "<mjml>"}}, "html_or_mjml", ["/content/mjml"]),
        ({"content": None}, "template_shape", ["/content"]),
        ({"languages": {"en": script()}}, "template_shape", ["/languages"]),
        ({"subject": "Hello"}, "title_or_subject", ["/subject"]),
        ({"content": None, "title": None, "languages": {"de": script()}}, "default_language_missing", ["/languages"]),
        (
            {"content": None, "title": None, "languages": {"zh-CN": script(), "zh_cn": script()}},
            "duplicate_language",
            ["/languages/zh_cn"],
        ),
        ({"content": None, "title": None, "languages": {"a/b": script()}}, "invalid_language", ["/languages/a~1b"]),
        (
            {"content": None, "title": None, "languages": {"en": {"text": "x"}}},
            "title_required",
            ["/languages/en/title"],
        ),
        ({"content": None, "title": None, "variants": []}, "template_too_complex", ["/variants"]),
        ({"language": "nonsense!"}, "invalid_language", ["/language"]),
        ({"channel": "pigeon"}, "unknown_value", ["/channel"]),
        ({"name": "a/b"}, "invalid_name", ["/name"]),
        ({"name": "tmpl_" + "0" * 32}, "invalid_name", ["/name"]),
        ({"name": ".."}, "invalid_name", ["/name"]),
        ({"name": "x" * 65}, "too_long", ["/name"]),
        ({"colour": "red"}, "unknown_field", ["/colour"]),
        ({"tenant_id": "other"}, "tenant_mismatch", ["/tenant_id"]),
        ({"variables": ["name", "name"]}, "duplicate_variable", ["/variables/1"]),
        ({"variables": ["a b"]}, "invalid_variable_name", ["/variables/0"]),
        ({"variables": ["contact"]}, "invalid_variable_name", ["/variables/0"]),
        (
            {"variables": [{"name": "n", "type": "number", "default": "x"}]},
            "variable_invalid",
            ["/variables/0/default"],
        ),
        ({"variables": [f"v{number}" for number in range(201)]}, "template_too_complex", ["/variables"]),
        ({"content": "x" * 262_145}, "template_too_large", ["/content/text"]),
        ({"content": "{% if %}"}, None, ["/content/text"]),
    ],
)
async def test_what_is_no_template(alice: Caller, changes: dict[str, Any], code: str | None, places: list[str]) -> None:
    body = {name: value for name, value in {**SIMPLE, **changes}.items() if value is not None}
    answer = await alice.post("/templates", body)
    assert answer.status_code == 422, answer.text
    assert [place for place in problem(answer)[2] if place.startswith(places[0])], answer.text
    assert code in {None, problem(answer)[1]}
    assert (await alice.get("/templates"))["items"] == []


async def test_too_many_languages_and_too_much_together(alice: Caller) -> None:
    many = {f"a{chr(97 + number // 26)}{chr(97 + number % 26)}": script() for number in range(51)}
    body = {"name": "many", "channel": "email", "languages": {"en": script()} | many}
    assert problem(await alice.post("/templates", body))[1:] == ("template_too_complex", ["/languages"])
    heavy = {tag: script("x" * 250_000) for tag in ["en", *list(many)[:8]]}
    assert problem(await alice.post("/templates", {**body, "languages": heavy}))[:2] == (422, "template_too_complex")


async def test_every_change_is_a_version_and_no_change_is_none(alice: Caller, database: Database) -> None:
    template = await made(alice)
    same = (await saved(alice, template["id"])).json()
    assert (same["newest_version"], same["newest"]) == (1, template["newest"])
    other = (await saved(alice, "welcome", content="Good evening, {{ name }}.")).json()
    assert (other["newest_version"], other["newest"]["state"]) == (2, "draft")
    assert other["newest"]["content_hash"] != template["newest"]["content_hash"]
    listed = await alice.get("/templates/welcome/versions")
    assert [one["version"] for one in listed["items"]] == [2, 1]
    assert listed["items"][1] == template["newest"] == await alice.get("/templates/welcome/versions/1")
    first = await alice.get("/templates/welcome/versions", limit=1)
    assert [one["version"] for one in first["items"]] == [2]
    rest = await alice.get("/templates/welcome/versions", limit=1, cursor=first["next_cursor"])
    assert ([one["version"] for one in rest["items"]], rest["next_cursor"]) == ([1], None)
    kept = await rows(database, "SELECT count(*) FROM template_versions WHERE tenant_id = %s", alice.tenant.id)
    assert kept == [{"count": 2}]


async def test_a_name_can_be_changed_and_a_channel_cannot(alice: Caller) -> None:
    template = await made(alice)
    await made(alice, name="taken")
    renamed = (await saved(alice, "welcome", name="hello")).json()
    assert (renamed["id"], renamed["name"], renamed["newest_version"]) == (template["id"], "hello", 1)
    assert problem(await saved(alice, "hello", name="taken"))[:2] == (409, "name_taken")
    assert problem(await saved(alice, "hello", name="hello", channel="in_app"))[1:] == (
        "template_channel_mismatch",
        ["/channel"],
    )
    assert problem(await saved(alice, "welcome"))[:2] == (404, "not_found")
    assert problem(await alice.post("/templates", {**SIMPLE, "name": "hello"}))[:2] == (409, "name_taken")


async def test_whoever_edits_an_older_version_is_told(alice: Caller) -> None:
    await made(alice)
    assert (await saved(alice, "welcome", content="Two.", base_version=1)).json()["newest_version"] == 2
    assert problem(await saved(alice, "welcome", content="Three.", base_version=1))[:2] == (409, "state_conflict")


async def test_an_archived_template_leaves_its_name_and_keeps_its_story(alice: Caller) -> None:
    template = await made(alice)
    for _ in range(2):
        assert (await alice.wire.delete(f"/api/v1/templates/{template['id']}")).status_code == 204
    assert (await alice.get("/templates"))["items"] == []
    assert (await alice.wire.get("/api/v1/templates/welcome")).status_code == 404
    kept = await alice.get(f"/templates/{template['id']}")
    assert (kept["status"], kept["archived_at"] is not None) == ("archived", True)
    assert problem(await saved(alice, template["id"]))[:2] == (409, "template_archived")
    again = await made(alice)
    assert again["id"] != template["id"]
    events = (await alice.get(f"/templates/{template['id']}/events"))["items"]
    assert [one["kind"] for one in events] == ["archived", "saved", "created"]


async def test_making_one_twice_under_one_key_makes_one(alice: Caller) -> None:
    first = await alice.post("/templates", SIMPLE, Idempotency_Key="template-1")
    again = await alice.post("/templates", SIMPLE, Idempotency_Key="template-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await alice.post("/templates", {**SIMPLE, "name": "x"}, Idempotency_Key="template-1")
    assert problem(other) == (422, "idempotency_key_reused", [])


async def test_lists_have_pages(alice: Caller) -> None:
    ids = [(await made(alice, name=f"t{number}"))["id"] for number in range(3)]
    first = await alice.get("/templates", limit=2)
    second = await alice.get("/templates", limit=2, cursor=first["next_cursor"])
    assert [one["id"] for one in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None
    assert problem(await alice.wire.get("/api/v1/templates", params={"cursor": "x"}))[1] == "invalid_cursor"


@pytest.mark.parametrize("content", ['"\\ud800"', '"a\\u0000b"', '{"text": "x", "html": "\\udfff"}', "7", "[]"])
async def test_what_cannot_be_stored_is_refused(alice: Caller, content: str) -> None:
    raw = f'{{"name": "x", "channel": "in_app", "content": {content}}}'
    headers = {"content-type": "application/json"}
    answer = await alice.wire.post("/api/v1/templates", content=raw, headers=headers)
    assert answer.status_code in {400, 422}, answer.text
    assert problem(answer)[0] == answer.status_code


@pytest.mark.parametrize("ref", ["%00", "x" * 65, "tmpl_", "tmpl_zz", "a%0Ab"])
async def test_what_names_nothing_is_no_defect(alice: Caller, ref: str) -> None:
    for path in (f"/templates/{ref}", f"/template-sets/{ref}", f"/settings/variables/{ref}"):
        assert (await alice.wire.get(f"/api/v1{path}")).status_code in {404, 422}, path
    for number in ("0", "-1", "99999999999", "x"):
        answer = await alice.wire.get(f"/api/v1/templates/{ref}/versions/{number}")
        assert answer.status_code in {404, 422}


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else "x"


@pytest.mark.parametrize(
    "changes",
    [
        {"variables": [None]},
        {"variables": [7]},
        {"variables": [{"name": None}]},
        {"variables": [{"name": "a", "type": "tongue"}]},
        {"variables": [{"name": "a", "default": nested(20)}]},
        {"variables": [{"name": "a", "default": "x" * 20_000}]},
        {"variables": {"a": "text"}},
        {"variants": [None]},
        {"variants": [{"name": "a", "languages": {}}], "content": None, "title": None},
        {"variants": [{"name": "a", "weight": -1, "languages": {"en": script()}}]},
        {"variants": [{"name": "a", "weight": 10**30, "languages": {"en": script()}}]},
        {"variants": [{"name": "a", "weight": 0, "languages": {"en": script()}}], "content": None, "title": None},
        {"languages": {"en": None}},
        {"languages": {"en": "text"}},
        {"languages": {"": script()}, "content": None, "title": None},
        {"languages": {"x" * 100: script()}},
        {"languages": []},
        {"status": "approved"},
        {"base_version": 0},
        {"base_version": "1"},
        {"title": 7},
        {"name": ""},
        {"name": "a\nb"},
        {"name": None},
    ],
)
async def test_odd_shapes_are_refused_and_nothing_else(alice: Caller, changes: dict[str, Any]) -> None:
    answer = await alice.post("/templates", {**SIMPLE, **changes})
    assert problem(answer)[0] == 422
    assert answer.json()["errors"] or answer.json()["detail"]


async def test_a_version_number_beyond_any_is_a_conflict(alice: Caller) -> None:
    await made(alice)
    assert problem(await saved(alice, "welcome", content="Two.", base_version=10**30))[:2] == (409, "state_conflict")
