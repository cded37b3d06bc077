"""Campaigns: made once, listed, renamed, put away, and sent in one call."""

import asyncio
from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.identity import TASK, parse_id
from postroom.tenants.keys import Scope
from tests.api.conftest import Caller, problem
from tests.campaigns.ground import letter, people
from tests.fixtures.rows import change
from tests.fixtures.tasks import task_row

MAIL: dict[str, Any] = {"name": "First mail", "rule": {"everyone": True}, "content": {"template": "sale"}}


async def made(caller: Caller, name: str = "Spring") -> str:
    answer = await caller.post("/campaigns", {"name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def unreviewed(caller: Caller) -> None:
    answer = await caller.wire.put("/api/v1/settings/review", json={"required": False})
    assert answer.status_code == 200


async def test_a_campaign_is_made_once_under_its_key(alice: Caller) -> None:
    body = {"name": "Spring", "description": "Three mails."}
    first = await alice.post("/campaigns", body, Idempotency_Key="spring")
    again = await alice.post("/campaigns", body, Idempotency_Key="spring")
    other = await alice.post("/campaigns", {"name": "Autumn"}, Idempotency_Key="spring")
    assert (first.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert first.json() == again.json()
    assert (first.json()["state"], first.json()["tasks"]) == ("active", {})
    assert problem(other)[:2] == (422, "idempotency_key_reused")
    assert len((await alice.get("/campaigns"))["items"]) == 1


async def test_campaigns_are_listed_newest_first_in_pages(alice: Caller) -> None:
    ids = [await made(alice, name) for name in ("one", "two", "three")]
    first = await alice.get("/campaigns", limit=2)
    rest = await alice.get("/campaigns", limit=2, cursor=first["next_cursor"])
    assert [one["id"] for one in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None


async def test_a_campaign_is_renamed_and_put_away(alice: Caller) -> None:
    campaign = await made(alice)
    path = f"/api/v1/campaigns/{campaign}"
    renamed = await alice.wire.put(path, json={"name": "Summer", "description": "Later."})
    assert (renamed.json()["name"], renamed.json()["description"]) == ("Summer", "Later.")
    assert [(await alice.wire.delete(path)).status_code for _ in range(2)] == [204, 204]
    assert (await alice.get("/campaigns"))["items"] == []
    assert [one["id"] for one in (await alice.get("/campaigns", state="archived"))["items"]] == [campaign]
    assert problem(await alice.wire.put(path, json={"name": "Winter"}))[:2] == (409, "campaign_archived")
    task = await alice.post("/tasks", {"campaign_id": campaign, **MAIL})
    assert problem(task)[:2] == (409, "campaign_archived")


async def test_a_campaign_under_way_is_not_put_away(alice: Caller, database: Database) -> None:
    await letter(database, alice.tenant)
    await unreviewed(alice)
    sent = (await alice.post("/campaigns/send", MAIL)).json()
    path = f"/api/v1/campaigns/{sent['campaign_id']}"
    assert problem(await alice.wire.delete(path))[:2] == (409, "campaign_running")
    assert (await alice.get(f"/campaigns/{sent['campaign_id']}"))["tasks"] == {"scheduled": 1}
    await alice.post(f"/campaigns/{sent['campaign_id']}/cancel")
    assert (await alice.wire.delete(path)).status_code == 204
    assert problem(await alice.post(f"/tasks/{sent['id']}/duplicate"))[:2] == (409, "campaign_archived")


async def test_one_call_makes_and_launches_a_task(alice: Caller, database: Database) -> None:
    await letter(database, alice.tenant, declared=["percent"])
    await unreviewed(alice)
    content = {"template": "sale", "variables": {"percent": 20}}
    body = {**MAIL, "content": content, "pace": {"per_minute": 600}, "sender": {"from": "Shop <news@shop.de>"}}
    first = await alice.post("/campaigns/send", body, Idempotency_Key="now")
    again = await alice.post("/campaigns/send", body, Idempotency_Key="now")
    assert (first.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    task = first.json()
    assert again.json() == task
    assert (task["state"], task["pace"], task["counts"]) == ("scheduled", {"per_minute": 600}, {})
    assert task["tracking"] == {"opens": True, "clicks": True}
    assert task["workflow_id"] == f"campaign/{alice.tenant.slug}/{task['id']}"
    assert [one["version"] for one in task["pinned"]] == [1]
    row = await task_row(database, parse_id(TASK, task["id"]))
    assert (row["owed"], row["epoch"], row["next_poke_at"] is not None) == (True, 1, True)
    assert len((await alice.get("/campaigns"))["items"]) == 1


async def test_one_call_makes_nothing_when_anything_is_wrong(alice: Caller, database: Database) -> None:
    await unreviewed(alice)
    wrong = {
        "name": "x",
        "rule": {"everyone": False, "nobody": True},
        "content": {"template": "missing"},
        "sender": {"from": "nobody"},
        "notification_type": "undeclared",
        "plan": {"at": "2020-01-01T00:00:00Z"},
    }
    answer = await alice.post("/campaigns/send", wrong)
    status, _, places = problem(answer)
    assert (status, set(places)) == (422, {"/plan/at", "/sender/from", "/rule"})
    later = {"content": {"template": "missing"}, "notification_type": "undeclared"}
    answer = await alice.post("/campaigns/send", {**MAIL, **later})
    assert problem(answer)[2] == ["/notification_type", "/content/template"]
    assert (await alice.get("/campaigns"))["items"] == []
    assert (await alice.get("/tasks"))["items"] == []


async def test_under_review_one_call_submits(alice: Caller, database: Database) -> None:
    await letter(database, alice.tenant)
    await people(database, alice.tenant, 3)
    task = (await alice.post("/campaigns/send", MAIL)).json()
    assert (task["state"], task["approval"]["status"], task["approval"]["audience"]) == ("in_review", "waiting", 3)
    assert task["workflow_id"] is None
    assert problem(await alice.post(f"/tasks/{task['id']}/launch"))[:2] == (409, "approval_required")


@pytest.mark.parametrize(("scope", "reads"), [(Scope.CAMPAIGNS_READ, 200), (Scope.CAMPAIGNS_APPROVE, 403)])
async def test_writing_needs_its_scope(alice: Caller, database: Database, scope: Scope, reads: int) -> None:
    await change(database, "UPDATE api_keys SET scopes = %s WHERE tenant_id = %s", [scope], alice.tenant.id)
    for path in ("/campaigns", "/campaigns/send", "/tasks"):
        assert problem(await alice.post(path, MAIL))[:2] == (403, "insufficient_scope")
    assert (await alice.wire.get("/api/v1/tasks")).status_code == reads


async def test_a_campaign_is_put_away_or_launched_never_both(alice: Caller, database: Database) -> None:
    await letter(database, alice.tenant)
    await unreviewed(alice)
    for _ in range(4):
        campaign = await made(alice)
        task = (await alice.post("/tasks", {"campaign_id": campaign, **MAIL})).json()["id"]
        away, launched = await asyncio.gather(
            alice.wire.delete(f"/api/v1/campaigns/{campaign}"), alice.post(f"/tasks/{task}/launch")
        )
        assert (away.status_code, launched.status_code) in {(204, 409), (409, 202)}
        refusal = launched if away.is_success else away
        assert problem(refusal)[1] in {"campaign_archived", "campaign_running"}
