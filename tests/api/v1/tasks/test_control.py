"""Signals to a task or a campaign: what each leaves behind in every state, and what it owes the workflow."""

from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.identity import TASK, parse_id
from tests.api.conftest import Caller, problem
from tests.api.v1.campaigns.test_routes import MAIL, unreviewed
from tests.api.v1.tasks.test_routes import ahead, drafted, launched
from tests.campaigns.ground import Recipient, frozen, letter
from tests.fixtures.rows import change
from tests.fixtures.tasks import task_row

AUDIENCE: list[Recipient] = [("p1", "accepted", "accepted"), ("p2", "pending", None), ("p3", "handing_off", None)]


@pytest.fixture
async def scheduled(alice: Caller, database: Database) -> dict[str, Any]:
    """A task that begins tomorrow."""
    await letter(database, alice.tenant)
    await unreviewed(alice)
    task = await drafted(alice, plan={"at": ahead(days=1)})
    found: dict[str, Any] = (await launched(alice, task["id"])).json()
    return found


async def signal(caller: Caller, task: str, name: str) -> tuple[int, str, str]:
    """Send a signal that is allowed; returns the status, the state it left, and the outcome it told."""
    answer = await caller.post(f"/tasks/{task}/{name}")
    assert answer.is_success, answer.text
    return answer.status_code, answer.json()["state"], answer.json()["outcome"]


async def owed(database: Database, task: str) -> bool:
    """Tell whether the workflow must look, and let it have looked."""
    row = await task_row(database, parse_id(TASK, task))
    await change(database, "UPDATE campaign_tasks SET owed = false WHERE id = %s", row["id"])
    return bool(row["owed"]) and row["next_poke_at"] is not None


async def test_before_the_freeze_a_task_pauses_and_resumes_to_its_plan(
    alice: Caller, scheduled: dict[str, Any], database: Database
) -> None:
    task = scheduled["id"]
    assert await signal(alice, task, "pause") == (200, "paused", "paused")
    assert await owed(database, task)
    assert (await alice.get(f"/tasks/{task}"))["reason"] == "requested"
    refused = await alice.post(f"/tasks/{task}/pause")
    assert problem(refused)[:2] == (409, "task_paused")
    assert refused.json()["detail"] == "The task is paused; pause is for one that is scheduled or sending."
    early = await alice.post(f"/tasks/{task}/skip", {"user_id": "p1"})
    assert early.json()["outcomes"] == {"p1": "audience_not_frozen"}
    assert await signal(alice, task, "resume") == (200, "scheduled", "resumed")
    assert await owed(database, task)
    assert problem(await alice.post(f"/tasks/{task}/resume"))[:2] == (409, "task_scheduled")
    assert await signal(alice, task, "cancel") == (200, "cancelled", "cancelled")
    assert await owed(database, task)
    assert (await alice.get(f"/tasks/{task}"))["ended_at"] is not None
    for name in ("pause", "resume", "cancel", "launch"):
        assert problem(await alice.post(f"/tasks/{task}/{name}"))[:2] == (409, "task_cancelled")


async def test_a_task_that_sends_is_cancelled_when_all_are_accounted_for(
    alice: Caller, scheduled: dict[str, Any], database: Database
) -> None:
    task = scheduled["id"]
    await frozen(database, alice.tenant, task, AUDIENCE)
    assert await signal(alice, task, "pause") == (200, "paused", "paused")
    assert await signal(alice, task, "resume") == (200, "sending", "resumed")
    assert await owed(database, task)
    assert await signal(alice, task, "cancel") == (202, "paused", "cancelling")
    row = await task_row(database, parse_id(TASK, task))
    assert (row["cancel_requested"], row["reason"], row["owed"]) == (True, "cancelling", True)
    for name in ("pause", "resume", "cancel"):
        assert problem(await alice.post(f"/tasks/{task}/{name}"))[:2] == (409, "task_cancelling")
    for path, body in (("retry", {}), ("skip", {"user_id": "p2"})):
        assert problem(await alice.post(f"/tasks/{task}/{path}", body))[:2] == (409, "task_cancelling")


async def test_a_freeze_under_way_is_waited_for(alice: Caller, scheduled: dict[str, Any], database: Database) -> None:
    task = scheduled["id"]
    await change(database, "UPDATE campaign_tasks SET frozen_to = 'm' WHERE id = %s", parse_id(TASK, task))
    await signal(alice, task, "pause")
    assert await signal(alice, task, "resume") == (200, "scheduled", "resumed")
    assert await signal(alice, task, "cancel") == (202, "paused", "cancelling")


async def test_an_operators_pause_goes_over_the_houses_own(
    alice: Caller, scheduled: dict[str, Any], database: Database
) -> None:
    task = scheduled["id"]
    await frozen(database, alice.tenant, task, AUDIENCE)
    by_itself = "UPDATE campaign_tasks SET state = 'paused', reason = 'all_services_frozen' WHERE id = %s"
    await change(database, by_itself, parse_id(TASK, task))
    assert await signal(alice, task, "pause") == (200, "paused", "paused")
    assert (await alice.get(f"/tasks/{task}"))["reason"] == "requested"
    event = (await alice.get(f"/tasks/{task}/events"))["items"][0]
    assert (event["kind"], event["detail"]) == ("paused", {"instead_of": "all_services_frozen"})


async def test_the_pace_changes_while_it_sends(alice: Caller, scheduled: dict[str, Any], database: Database) -> None:
    task = scheduled["id"]
    await frozen(database, alice.tenant, task, AUDIENCE)
    await change(
        database, "UPDATE campaign_tasks SET pace_anchor = now(), paced = 9 WHERE id = %s", parse_id(TASK, task)
    )
    path = f"/api/v1/tasks/{task}/pace"
    answer = await alice.wire.put(path, json={"per_minute": 60})
    assert (answer.status_code, answer.json()["outcome"]) == (200, "paced")
    row = await task_row(database, parse_id(TASK, task))
    assert (row["pace"], row["pace_anchor"], row["paced"], row["owed"]) == ({"per_minute": 60}, None, 9, True)
    wrong = await alice.wire.put(path, json={"finish_by": ahead(hours=1)})
    assert problem(wrong) == (422, "finish_before_start", ["/finish_by"])
    assert (await alice.wire.put(path, json={})).status_code == 200
    assert (await alice.get(f"/tasks/{task}"))["pace"] == {}


async def test_what_a_state_does_not_allow_names_the_state(alice: Caller, database: Database) -> None:
    task = (await drafted(alice))["id"]
    for name in ("pause", "resume", "cancel", "withdraw"):
        assert problem(await alice.post(f"/tasks/{task}/{name}"))[:2] == (409, "task_draft")
    for path, body in (("retry", {}), ("skip", {"user_id": "p2"})):
        assert problem(await alice.post(f"/tasks/{task}/{path}", body))[:2] == (409, "task_draft")
    await frozen(database, alice.tenant, task, AUDIENCE[:1], "completed")
    for name in ("pause", "resume", "cancel"):
        assert problem(await alice.post(f"/tasks/{task}/{name}"))[:2] == (409, "task_completed")
    pace = await alice.wire.put(f"/api/v1/tasks/{task}/pace", json={})
    assert problem(pace)[:2] == (409, "task_completed")


async def test_a_signal_to_a_campaign_reaches_all_that_run(
    alice: Caller, scheduled: dict[str, Any], database: Database
) -> None:
    campaign = scheduled["campaign_id"]
    terms = {"campaign_id": campaign, **MAIL}
    draft, sending, over = [(await alice.post("/tasks", terms)).json()["id"] for _ in range(3)]
    await frozen(database, alice.tenant, sending, AUDIENCE)
    await frozen(database, alice.tenant, over, AUDIENCE[:1], "completed")
    paused = (await alice.post(f"/campaigns/{campaign}/pause")).json()
    assert [one["task_id"] for one in paused["items"]] == [scheduled["id"], sending]
    assert {one["outcome"] for one in paused["items"]} == {"paused"}
    assert (await alice.post(f"/campaigns/{campaign}/pause")).json()["items"] == []
    resumed = (await alice.post(f"/campaigns/{campaign}/resume")).json()
    assert [one["state"] for one in resumed["items"]] == ["scheduled", "sending"]
    paced = await alice.wire.put(f"/api/v1/campaigns/{campaign}/pace", json={"per_minute": 5})
    assert len(paced.json()["items"]) == 2
    answer = await alice.post(f"/campaigns/{campaign}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelling")
    assert [one["outcome"] for one in answer.json()["items"]] == ["cancelled", "cancelling"]
    counts = (await alice.get(f"/campaigns/{campaign}"))["tasks"]
    assert counts == {"draft": 1, "cancelled": 1, "paused": 1, "completed": 1}
    assert (await alice.get(f"/tasks/{draft}"))["state"] == "draft"
