"""An audience is asked for before anything is sent: who would be in it, who would get nothing, and why."""

from typing import Any

import httpx2
import pytest

from postroom.database.engine import Database
from postroom.identity import TASK, new_id, public_id
from tests.api.conftest import Caller, problem
from tests.fixtures.rows import change

CAMPAIGN = "INSERT INTO campaigns (id, tenant_id, name, api_key_id) VALUES (%s, %s, 'spring', %s)"
TASK_ROW = """
INSERT INTO campaign_tasks (id, tenant_id, campaign_id, created_by, name, channel, rule, content, time_to_live)
VALUES (%s, %s, %s, %s, 'first', 'email', '{}', '{}', '1 day')
"""
EVERYBODY = {"everyone": True}
NESTED: dict[str, Any] = {"not": EVERYBODY}


async def known(caller: Caller, name: str, **body: Any) -> None:
    assert (await caller.wire.put(f"/api/v1/contacts/{name}", json=body)).is_success


async def count(caller: Caller, rule: Any, **more: Any) -> dict[str, Any]:
    answer = await caller.post("/audiences/count", {"rule": rule, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refused(caller: Caller, rule: Any) -> tuple[int, str, list[str]]:
    both = [await caller.post(f"/audiences/{noun}", {"rule": rule}) for noun in ("count", "sample")]
    assert problem(both[0]) == problem(both[1])
    return problem(both[0])


@pytest.fixture
async def town(alice: Caller, decoy: Caller) -> Caller:
    """Five people of Alice's, and a decoy who would be found by every rule here."""
    for name in ("ada", "bob", "cyd", "dan"):
        addresses = {} if name == "dan" else {"email": f"{name}@shop.de"}
        await known(alice, name, addresses=addresses, tags=["news"], language="en-GB", attributes={"age": 30})
    await known(alice, "eve", addresses={"email": "eve@shop.de"}, language="fr")
    await known(decoy, "mallory", addresses={"email": "ada@shop.de"}, tags=["news"], language="en")
    await alice.post("/suppressions", {"channel": "email", "address": "ADA@shop.de", "scope": "marketing"})
    paused = {"paused_until": "forever"}
    assert (await alice.wire.put("/api/v1/contacts/bob/preferences", json=paused)).is_success
    return alice


async def test_who_would_get_nothing_is_told_by_reason(town: Caller) -> None:
    excluded = {"no_address": 1, "paused": 1, "suppressed": 1}
    assert await count(town, EVERYBODY) == {"matched": 5, "reachable": 2, "excluded": excluded}
    assert await count(town, {"language": ["fr"]}) == {"matched": 1, "reachable": 1, "excluded": {}}
    plain = await count(town, {"tags": {"any": ["news"]}}, **{"class": "transactional"})
    assert plain == {"matched": 4, "reachable": 2, "excluded": {"no_address": 1, "paused": 1}}
    inside = await count(town, EVERYBODY, channel="in_app")
    assert inside == {"matched": 5, "reachable": 4, "excluded": {"paused": 1}}


async def test_consent_counts_for_marketing(town: Caller) -> None:
    await town.wire.put("/api/v1/settings/policy", json={"marketing_requires_consent": True})
    given = {"marketing": {"email": {"given": True}}}
    await town.wire.patch("/api/v1/contacts/cyd", json={"consent": given})
    told = await count(town, EVERYBODY)
    assert (told["reachable"], told["excluded"]["no_consent"]) == (1, 2)


async def test_a_type_brings_its_class(town: Caller) -> None:
    kind = {"group": "bills", "class": "transactional"}
    await town.wire.put("/api/v1/notification-types/bill", json=kind)
    assert (await count(town, EVERYBODY, notification_type="bill"))["reachable"] == 3
    asked = {"rule": EVERYBODY, "notification_type": "bill", "class": "marketing"}
    answer = await town.post("/audiences/count", asked)
    assert problem(answer) == (422, "class_conflicts_with_type", ["/class"])


async def test_a_sample_names_people(town: Caller) -> None:
    items = (await town.post("/audiences/sample", {"rule": EVERYBODY})).json()["items"]
    assert [(one["user_id"], one["reachable"], one["reason"]) for one in items] == [
        ("ada", False, "suppressed"),
        ("bob", False, "paused"),
        ("cyd", True, None),
        ("dan", False, "no_address"),
        ("eve", True, None),
    ]
    for number in range(20):
        await known(town, f"a{number}")
    items = (await town.post("/audiences/sample", {"rule": {"not": {"tags": {"any": ["news"]}}}})).json()["items"]
    assert len(items) == 20


@pytest.mark.parametrize(
    ("rule", "code", "places"),
    [
        ({}, "one_condition", ["/rule"]),
        ({"everyone": True, "tags": {"any": ["a"]}}, "one_condition", ["/rule"]),
        ({"everyone": "yes"}, "unknown_value", ["/rule/everyone"]),
        ({"sql": "1=1"}, "unknown_condition", ["/rule/sql"]),
        ({"a/b~c": 1}, "unknown_condition", ["/rule/a~1b~0c"]),
        ({"all": []}, "too_few", ["/rule/all"]),
        ({"any": {"everyone": True}}, "too_few", ["/rule/any"]),
        ({"all": [EVERYBODY, {"x": 1}, {"y": 2}]}, "unknown_condition", ["/rule/all/1/x", "/rule/all/2/y"]),
        ({"not": {"any": [{"language": ["!"]}]}}, "invalid_language", ["/rule/not/any/0/language/0"]),
        ({"time_zone": ["Europe/Paris", "Mars/X"]}, "unknown_time_zone", ["/rule/time_zone/1"]),
        ({"tags": {}}, "too_few", ["/rule/tags"]),
        ({"tags": {"any": []}}, "too_few", ["/rule/tags/any"]),
        ({"tags": {"some": ["a"]}}, "unknown_field", ["/rule/tags/some"]),
        ({"tags": {"any": ["x" * 65]}}, "too_long", ["/rule/tags/any/0"]),
        ({"tags": ["a"]}, "wrong_type", ["/rule/tags"]),
        ({"user_ids": "ada"}, "wrong_type", ["/rule/user_ids"]),
        ({"user_ids": ["a", 1]}, "wrong_type", ["/rule/user_ids/1"]),
        ({"user_ids": ["a\0"]}, "invalid_characters", ["/rule/user_ids/0"]),
        ({"attribute": {"name": "a"}}, "field_required", ["/rule/attribute/op"]),
        ({"attribute": {"name": "a", "op": "equals"}}, "field_required", ["/rule/attribute/value"]),
        ({"attribute": {"name": "a", "op": "like", "value": 1}}, "unknown_value", ["/rule/attribute/op"]),
        ({"attribute": {"name": "a", "op": ["equals"], "value": 1}}, "unknown_value", ["/rule/attribute/op"]),
        ({"attribute": {"name": "a", "op": "equals", "value": None}}, "wrong_type", ["/rule/attribute/value"]),
        (
            {"attribute": {"name": "a", "op": "equals", "value": 10**31}},
            "number_out_of_range",
            ["/rule/attribute/value"],
        ),
        ({"attribute": {"name": "a", "op": "greater", "value": "soon"}}, "invalid_time", ["/rule/attribute/value"]),
        ({"attribute": {"name": "a", "op": "greater", "value": True}}, "wrong_type", ["/rule/attribute/value"]),
        ({"attribute": {"name": "a", "op": "exists", "value": 1}}, "wrong_type", ["/rule/attribute/value"]),
        ({"attribute": {"name": "", "op": "exists"}}, "too_short", ["/rule/attribute/name"]),
        ({"activity": {"did": "opened"}}, "field_required", ["/rule/activity/within_days"]),
        ({"activity": {"did": "opened", "within_days": 0}}, "out_of_range", ["/rule/activity/within_days"]),
        ({"activity": {"did": "opened", "within_days": True}}, "wrong_type", ["/rule/activity/within_days"]),
        ({"activity": {"did": "slept", "within_days": 1}}, "unknown_value", ["/rule/activity/did"]),
        ({"task": {"id": "x", "did": "opened"}}, "task_not_found", ["/rule/task/id"]),
    ],
)
async def test_each_mistake_has_its_place(alice: Caller, rule: Any, code: str, places: list[str]) -> None:
    assert await refused(alice, rule) == (422, code, places)


async def test_a_rule_is_bounded(alice: Caller) -> None:
    deep: Any = EVERYBODY
    for _ in range(8):
        deep = {"not": deep}
    assert (await refused(alice, deep))[:2] == (422, "rule_too_deep")
    assert (await count(alice, deep["not"]))["matched"] == 0
    assert await refused(alice, {"any": [EVERYBODY] * 101}) == (422, "rule_too_large", ["/rule/any"])
    assert (await refused(alice, {"tags": {"all": [f"tag {number}" for number in range(101)]}}))[1] == "rule_too_large"
    assert (await count(alice, {"all": [EVERYBODY] * 100}))["matched"] == 0
    names = [f"user {number}" for number in range(10_001)]
    assert await refused(alice, {"user_ids": names}) == (422, "rule_too_large", ["/rule/user_ids"])
    assert (await count(alice, {"user_ids": names[1:]}))["matched"] == 0
    thousands = '{"not":' * 5_000 + "1" + "}" * 5_000
    answer = await alice.wire.post(
        "/api/v1/audiences/count", content=f'{{"rule": {thousands}}}', headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e999"])
async def test_numbers_are_numbers(alice: Caller, number: str) -> None:
    body = f'{{"rule": {{"attribute": {{"name": "a", "op": "equals", "value": {number}}}}}}}'
    answer = await alice.wire.post(
        "/api/v1/audiences/count", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize(
    "text", ["' OR true --", "%(tenant_id)s", "%s", "$1", "\\'; DROP TABLE contacts; --", "{x}", "ß"]
)
async def test_what_a_rule_says_is_never_a_statement(town: Caller, text: str) -> None:
    for rule in (
        {"tags": {"all": [text]}},
        {"user_ids": [text]},
        {"attribute": {"name": text, "op": "equals", "value": text}},
        {"attribute": {"name": text, "op": "in", "value": [text]}},
        {"attribute": {"name": "age", "op": "contains", "value": text}},
        {"attribute": {"name": "age", "op": "starts_with", "value": text}},
    ):
        assert (await count(town, rule))["matched"] == 0
    await known(town, "eve", attributes={text: [text]}, tags=[text])
    for rule in ({"tags": {"all": [text]}}, {"attribute": {"name": text, "op": "contains", "value": text}}):
        assert (await count(town, rule))["matched"] == 1
    assert (await count(town, EVERYBODY))["matched"] == 5


async def test_the_other_tenants_task_is_none(alice: Caller, decoy: Caller, database: Database) -> None:
    campaign, task = new_id(), new_id()
    await change(database, CAMPAIGN, campaign, decoy.tenant.id, new_id())
    await change(database, TASK_ROW, task, decoy.tenant.id, campaign, new_id())
    rule = {"any": [EVERYBODY, {"task": {"id": public_id(TASK, task), "did": "opened"}}]}
    assert await refused(alice, rule) == (422, "task_not_found", ["/rule/any/1/task/id"])
    assert (await count(decoy, rule))["matched"] == 0


async def save(caller: Caller, name: str, rule: Any, **more: Any) -> httpx2.Response:
    return await caller.wire.put(f"/api/v1/audiences/{name}", json={"rule": rule, **more})


async def test_an_audience_is_saved_and_copied_into_what_names_it(town: Caller) -> None:
    first = await save(town, "readers", {"tags": {"any": ["news"]}}, description="who reads")
    assert (first.status_code, first.json()["description"]) == (201, "who reads")
    french = {"all": [{"language": ["fr"]}, {"not": {"audience": "readers"}}]}
    assert (await count(town, french))["matched"] == 1
    saved = await save(town, "french", french)
    assert saved.json()["rule"]["all"][1] == {"not": {"tags": {"any": ["news"]}}}
    assert (await save(town, "readers", EVERYBODY)).status_code == 200
    assert (await count(town, {"audience": "readers"}))["matched"] == 5
    assert (await count(town, {"audience": "french"}))["matched"] == 1  # as readers were when it was saved
    assert (await town.wire.delete("/api/v1/audiences/readers")).status_code == 204
    assert (await count(town, {"audience": "french"}))["matched"] == 1
    assert await refused(town, {"any": [{"audience": "readers"}, {"audience": ["x"]}]}) == (
        422,
        "wrong_type",
        ["/rule/any/1/audience"],
    )
    assert await refused(town, {"any": [EVERYBODY, {"audience": "readers"}]}) == (
        422,
        "audience_not_found",
        ["/rule/any/1/audience"],
    )


async def test_what_is_no_audience_is_not_saved(town: Caller, decoy: Caller) -> None:
    await save(decoy, "theirs", EVERYBODY)
    for rule, code, place in (
        ({"audience": "theirs"}, "audience_not_found", "/rule/audience"),
        ({"any": [EVERYBODY, {"user_ids": ["ada"]}]}, "people_by_name", "/rule/any/1/user_ids"),
        ({"language": []}, "too_few", "/rule/language"),
        ({"task": {"id": public_id(TASK, new_id()), "did": "opened"}}, "task_not_found", "/rule/task/id"),
    ):
        assert problem(await save(town, "mine", rule)) == (422, code, [place])
    assert (await town.get("/audiences"))["items"] == []


async def test_pages_of_audiences(alice: Caller, decoy: Caller) -> None:
    for name in ("c", "a", "b"):
        await save(alice, name, EVERYBODY)
    await save(decoy, "bb", EVERYBODY)
    first = await alice.get("/audiences", limit=2)
    second = await alice.get("/audiences", limit=2, cursor=first["next_cursor"])
    assert [one["name"] for one in (*first["items"], *second["items"])] == ["a", "b", "c"]
    assert (second["next_cursor"], (await alice.get("/audiences/a"))["rule"]) == (None, EVERYBODY)
    for method in ("get", "delete"):
        assert problem(await alice.wire.request(method, "/api/v1/audiences/bb"))[:2] == (404, "not_found")
