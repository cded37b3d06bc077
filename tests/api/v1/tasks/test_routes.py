"""Tasks as drafts: what is refused and where, what a change asks for, what a list shows, what a launch checks."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.identity import TASK, parse_id
from tests.api.conftest import Caller, problem
from tests.api.v1.campaigns.test_routes import MAIL, made, unreviewed
from tests.campaigns.ground import letter, people, reworded
from tests.fixtures.rows import change
from tests.fixtures.tasks import task_row


async def drafted(caller: Caller, **terms: Any) -> dict[str, Any]:
    """Make a draft in a campaign of its own."""
    answer = await caller.post("/tasks", {"campaign_id": await made(caller), **MAIL, **terms})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def launched(caller: Caller, task: str, **headers: str) -> Any:
    return await caller.post(f"/tasks/{task}/launch", **headers)


def ahead(**wait: float) -> str:
    return (datetime.now(UTC) + timedelta(**wait)).isoformat(timespec="seconds").replace("+00:00", "Z")


async def test_a_draft_keeps_its_terms(alice: Caller) -> None:
    at = ahead(days=1)
    variants = [{"label": "A", "template": "sale"}, {"label": "B", "template": "other", "weight": 3}]
    terms = {
        "content": {"variants": variants, "variables": {"percent": 20}},
        "class": "transactional",
        "sender": {"from": "Shop <news@shop.de>", "reply_to": "help@shop.de"},
        "plan": {"at": at},
        "pace": {"finish_by": ahead(days=2)},
        "tracking": {"clicks": True},
        "time_to_live": "P1D",
    }
    task = await drafted(alice, **terms)
    assert (task["state"], task["version"], task["approval"]["status"]) == ("draft", 1, "none")
    assert [one["weight"] for one in task["content"]["variants"]] == [1, 3]
    for name in ("class", "sender", "plan", "pace"):
        assert task[name] == terms[name]
    assert (task["tracking"], task["time_to_live"]) == ({"opens": False, "clicks": True}, 86400)
    assert await alice.get(f"/tasks/{task['id']}") == task
    assert (task["pinned"], task["audience"], task["counts"], task["workflow_id"]) == (None, None, {}, None)


@pytest.mark.parametrize(
    ("terms", "code", "places"),
    [
        ({"channel": "in_app"}, "channel_not_supported", ["/channel"]),
        ({"class": "security"}, "class_not_supported", ["/class"]),
        ({"content": {}}, "content_required", ["/content"]),
        ({"content": {"template": "a", "template_set": "b"}}, "content_required", ["/content"]),
        ({"content": {"template_set": "a", "version": 2}}, "content_conflict", ["/content/version"]),
        (
            {"content": {"variants": [{"label": "A", "template": "x"}] * 2}},
            "label_taken",
            ["/content/variants/1/label"],
        ),
        ({"plan": {"at": "2020-01-01T00:00:00Z"}}, "plan_in_past", ["/plan/at"]),
        ({"plan": {"at": "2090-01-01T00:00:00Z"}}, "plan_too_far", ["/plan/at"]),
        ({"plan": {"local_time": "2020-01-01T00:00"}}, "plan_in_past", ["/plan/local_time"]),
        ({"plan": {"local_time": "9999-12-31T23:59"}}, "out_of_range", ["/plan/local_time"]),
        ({"plan": {"local_time": "2026-12-31T23:59Z"}}, "offset_not_allowed", ["/plan/local_time"]),
        ({"plan": {"fallback_zone": "Europe/Paris"}}, "plan_conflict", ["/plan/fallback_zone"]),
        ({"pace": {"per_minute": 5, "finish_by": ahead(days=1)}}, "pace_conflict", ["/pace/finish_by"]),
        ({"pace": {"finish_by": "2020-01-01T00:00:00Z"}}, "finish_before_start", ["/pace/finish_by"]),
        ({"pace": {"finish_by": "2090-01-01T00:00:00Z"}}, "finish_too_far", ["/pace/finish_by"]),
        ({"pace": {"per_minute": 0}}, "out_of_range", ["/pace/per_minute"]),
        ({"pace": {"per_minute": 1_000_001}}, "out_of_range", ["/pace/per_minute"]),
        ({"sender": {"from": "nobody"}}, "invalid_sender", ["/sender/from"]),
        ({"name": " \u00a0"}, "too_short", ["/name"]),
        ({"sender": {"reply_to": "Shop <a@shop.de>"}}, "invalid_sender", ["/sender/reply_to"]),
        ({"sender": {"services": ["smtp"]}}, "sender_service_not_found", ["/sender/services/0"]),
        ({"rule": {"nobody": True}}, "unknown_condition", ["/rule/nobody"]),
        ({"rule": {"any": [{"audience": "nobody"}]}}, "audience_not_found", ["/rule/any/0/audience"]),
        ({"rule": {"task": {"id": "task_" + "0" * 32, "did": "opened"}}}, "task_not_found", ["/rule/task/id"]),
        ({"colour": "red"}, "unknown_field", ["/colour"]),
    ],
)
async def test_what_makes_no_sense_is_refused_where_it_stands(
    alice: Caller, terms: dict[str, Any], code: str, places: list[str]
) -> None:
    answer = await alice.post("/tasks", {"campaign_id": await made(alice), **MAIL, **terms})
    assert problem(answer) == (422, code, places)


async def test_a_zone_must_be_real(alice: Caller) -> None:
    plan = {"local_time": ahead(days=2)[:19], "fallback_zone": "Mars/Olympus"}
    answer = await alice.post("/tasks", {"campaign_id": await made(alice), **MAIL, "plan": plan})
    assert problem(answer) == (422, "unknown_time_zone", ["/plan/fallback_zone"])


async def test_a_saved_audience_stands_for_what_it_says_now(alice: Caller) -> None:
    saved = {"rule": {"tags": {"any": ["vip"]}}}
    assert (await alice.wire.put("/api/v1/audiences/best", json=saved)).status_code == 201
    task = {"campaign_id": await made(alice), **MAIL, "rule": {"not": {"audience": "best"}}}
    assert (await alice.post("/tasks", task)).json()["rule"] == {"not": saved["rule"]}


async def test_a_change_goes_on_top_of_what_was_read(alice: Caller) -> None:
    task = await drafted(alice)
    path = f"/api/v1/tasks/{task['id']}"
    body = {**MAIL, "name": "Better", "version": 1}
    answers = await asyncio.gather(*(alice.wire.put(path, json=body) for _ in range(4)))
    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409]
    assert {problem(one)[1] for one in answers if one.status_code == 409} == {"version_conflict"}
    assert ((await alice.get(f"/tasks/{task['id']}"))["name"], task["version"]) == ("Better", 1)
    assert (await alice.wire.delete(path)).status_code == 204
    assert problem(await alice.wire.get(path))[:2] == (404, "not_found")


async def test_the_class_is_that_of_the_type(alice: Caller) -> None:
    kind = {"group": "shop", "class": "transactional"}
    assert (await alice.wire.put("/api/v1/notification-types/news", json=kind)).status_code == 201
    assert (await drafted(alice, notification_type="news"))["class"] == "transactional"
    task = await drafted(alice, notification_type="news", **{"class": "marketing"})
    assert problem(await launched(alice, task["id"]))[1] == "approval_required"
    assert "/class" in problem(await alice.post(f"/tasks/{task['id']}/submit"))[2]


async def test_tasks_are_listed_by_campaign_and_state(alice: Caller, database: Database) -> None:
    await letter(database, alice.tenant)
    await unreviewed(alice)
    one, two = await drafted(alice), await drafted(alice)
    assert (await launched(alice, two["id"])).status_code == 202
    assert [task["id"] for task in (await alice.get("/tasks"))["items"]] == [two["id"], one["id"]]
    of_one = await alice.get("/tasks", campaign_id=one["campaign_id"])
    assert [task["id"] for task in of_one["items"]] == [one["id"]]
    assert [task["id"] for task in (await alice.get("/tasks", state="scheduled"))["items"]] == [two["id"]]
    first = await alice.get("/tasks", limit=1)
    rest = await alice.get("/tasks", limit=1, cursor=first["next_cursor"])
    assert [task["id"] for task in rest["items"]] == [one["id"]]
    elsewhere = {"limit": "1", "state": "draft", "cursor": first["next_cursor"]}
    wrong = await alice.wire.get("/api/v1/tasks", params=elsewhere)
    assert problem(wrong)[1] == "invalid_cursor"


async def test_a_launch_checks_everything_at_once(alice: Caller, database: Database) -> None:
    await unreviewed(alice)
    await letter(database, alice.tenant, "inbox", channel="in_app")
    await letter(database, alice.tenant, "needy", ["percent"])
    variants: list[dict[str, Any]] = [{"label": one, "template": one} for one in ("inbox", "needy", "missing")]
    variants.append({"label": "late", "template": "needy", "version": 9})
    task = await drafted(alice, content={"variants": variants}, notification_type="undeclared")
    answer = await launched(alice, task["id"])
    told = {(one["pointer"], one["code"]) for one in answer.json()["errors"]}
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert told == {
        ("/notification_type", "unknown_notification_type"),
        ("/content/variants/0/template", "template_channel_mismatch"),
        ("/content/variables/percent", "variable_missing"),
        ("/content/variants/2/template", "template_not_found"),
        ("/content/variants/3/version", "template_version_not_found"),
    }
    assert (await alice.get(f"/tasks/{task['id']}"))["state"] == "draft"


async def test_a_version_that_is_not_approved_is_not_launched(alice: Caller, database: Database) -> None:
    template = await letter(database, alice.tenant)
    await unreviewed(alice)
    await change(database, "UPDATE template_versions SET state = 'retired' WHERE template_id = %s", template)
    for content in ({"template": "sale"}, {"template": "sale", "version": 1}):
        task = await drafted(alice, content=content)
        assert problem(await launched(alice, task["id"])) == (422, "template_not_approved", ["/content/template"])


async def test_a_launch_pins_what_speaks(alice: Caller, database: Database) -> None:
    template = await letter(database, alice.tenant)
    await reworded(database, alice.tenant, (template, 2))
    await letter(database, alice.tenant, "other")
    await unreviewed(alice)
    entries = {"name": "turns", "entries": [{"template": "sale"}, {"template": "other"}]}
    assert (await alice.post("/template-sets", entries)).status_code == 201
    newest = (await launched(alice, (await drafted(alice))["id"])).json()
    asked = {"content": {"template": "sale", "version": 1}}
    chosen = (await launched(alice, (await drafted(alice, **asked))["id"])).json()
    turns = (await launched(alice, (await drafted(alice, content={"template_set": "turns"}))["id"])).json()
    assert [(one["version"], one["label"]) for one in newest["pinned"]] == [(2, "default")]
    assert [one["version"] for one in chosen["pinned"]] == [1]
    assert [(one["version"], one["label"]) for one in turns["pinned"]] == [(2, "1"), (1, "2")]
    assert len({one["approval"]["content_hash"] for one in (newest, chosen, turns)}) == 3


async def test_a_local_time_begins_where_the_day_does(alice: Caller, database: Database) -> None:
    await letter(database, alice.tenant)
    await unreviewed(alice)
    local = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0, tzinfo=None)
    far = (await launched(alice, (await drafted(alice, plan={"local_time": local.isoformat()}))["id"])).json()
    assert datetime.fromisoformat(far["start_at"]).replace(tzinfo=None) == local - timedelta(hours=14)
    near = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(hours=3)  # still ahead in the west
    soon = (await launched(alice, (await drafted(alice, plan={"local_time": near.isoformat()}))["id"])).json()
    assert soon["start_at"] == soon["launched_at"]


async def test_of_two_launches_one_wins(alice: Caller, database: Database) -> None:
    await letter(database, alice.tenant)
    await unreviewed(alice)
    task = (await drafted(alice))["id"]
    answers = await asyncio.gather(*(launched(alice, task) for _ in range(5)))
    assert sorted(one.status_code for one in answers) == [202, 409, 409, 409, 409]
    assert {problem(one)[1] for one in answers if one.status_code == 409} == {"task_scheduled"}
    named = (await drafted(alice))["id"]
    same = await asyncio.gather(*(launched(alice, named, Idempotency_Key="go") for _ in range(5)))
    assert {one.status_code for one in same} == {202}
    assert sum(one.headers.get("Idempotent-Replayed") == "true" for one in same) == 4
    row = await task_row(database, parse_id(TASK, named))
    assert (row["epoch"], row["owed"]) == (1, True)
    for path, verb in (("", "put"), ("", "delete"), ("/launch", "post"), ("/submit", "post")):
        body = {**MAIL, "version": 1} if verb == "put" else None
        answer = await alice.wire.request(verb, f"/api/v1/tasks/{task}{path}", json=body)
        assert problem(answer)[:2] == (409, "task_scheduled")


async def test_a_copy_is_a_draft_and_leaves_out_a_plan_that_has_passed(alice: Caller, database: Database) -> None:
    await letter(database, alice.tenant)
    task = await drafted(alice, plan={"at": ahead(days=1)}, pace={"per_minute": 7})
    same = await alice.post(f"/tasks/{task['id']}/duplicate", Idempotency_Key="copy")
    again = await alice.post(f"/tasks/{task['id']}/duplicate", Idempotency_Key="copy")
    assert (same.status_code, same.json(), again.headers["Idempotent-Replayed"]) == (201, again.json(), "true")
    told = ("name", "campaign_id", "rule", "content", "plan", "pace", "sender", "tracking", "time_to_live")
    assert {name: same.json()[name] for name in told} == {name: task[name] for name in told}
    assert same.json()["id"] != task["id"]
    await change(
        database,
        """UPDATE campaign_tasks SET plan = '{"at": "2020-01-01T00:00:00Z"}' WHERE id = %s""",
        parse_id(TASK, task["id"]),
    )
    late = (await alice.post(f"/tasks/{task['id']}/duplicate")).json()
    assert (late["plan"], late["state"]) == ({}, "draft")
    events = (await alice.get(f"/tasks/{late['id']}/events"))["items"]
    assert [one["kind"] for one in events] == ["duplicated", "created"]


async def test_who_did_what_is_on_record(alice: Caller, database: Database) -> None:
    await letter(database, alice.tenant)
    await people(database, alice.tenant, 2)
    await unreviewed(alice)
    task = (await drafted(alice))["id"]
    await alice.wire.put(f"/api/v1/tasks/{task}", json={**MAIL, "version": 1})
    await launched(alice, task)
    await alice.wire.put(f"/api/v1/tasks/{task}/pace", json={"per_minute": 3})
    for signal in ("pause", "resume", "cancel"):
        assert (await alice.post(f"/tasks/{task}/{signal}")).is_success
    first = await alice.get(f"/tasks/{task}/events", limit=4)
    rest = await alice.get(f"/tasks/{task}/events", limit=4, cursor=first["next_cursor"])
    kinds = [one["kind"] for one in first["items"] + rest["items"]][::-1]
    assert kinds == ["created", "changed", "launched", "pace_changed", "paused", "resumed", "cancelled"]
    assert all(one["key_id"].startswith("key_") for one in first["items"])
