"""The review of a task: somebody else approves exactly the terms, the words and the audience they saw."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.identity import TASK, parse_id
from postroom.settings import Settings
from postroom.tenants.keys import Scope
from tests.api.conftest import Caller, calling, problem
from tests.api.v1.campaigns.test_routes import MAIL
from tests.api.v1.tasks.test_routes import drafted
from tests.campaigns.ground import letter, people, reworded
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change


@pytest.fixture
async def reviewer(database: Database, settings: Settings, api_url: str, tenants: Tenants) -> AsyncIterator[Caller]:
    """Another key of the acting tenant, which may read and approve."""
    scopes = [Scope.CAMPAIGNS_READ, Scope.CAMPAIGNS_APPROVE]
    async with calling(database, settings, api_url, tenants.alice, scopes) as caller:
        yield caller


@pytest.fixture
async def colleague(database: Database, settings: Settings, api_url: str, tenants: Tenants) -> AsyncIterator[Caller]:
    """A third key of the acting tenant, which may do everything."""
    async with calling(database, settings, api_url, tenants.alice) as caller:
        yield caller


@pytest.fixture
async def task(alice: Caller, database: Database) -> str:
    """A draft that could be launched, for twenty people."""
    await letter(database, alice.tenant)
    await people(database, alice.tenant, 20)
    return str((await drafted(alice))["id"])


async def submitted(caller: Caller, task: str) -> dict[str, Any]:
    answer = await caller.post(f"/tasks/{task}/submit")
    assert answer.status_code == 200, answer.text
    seen: dict[str, Any] = answer.json()["approval"]
    return {"content_hash": seen["content_hash"], "audience": seen["audience"]}


async def approved(author: Caller, reviewer: Caller, task: str) -> None:
    answer = await reviewer.post(f"/tasks/{task}/approve", await submitted(author, task))
    assert answer.status_code == 200, answer.text


async def test_a_task_goes_through_its_review(alice: Caller, reviewer: Caller, task: str) -> None:
    assert problem(await alice.post(f"/tasks/{task}/launch"))[:2] == (409, "approval_required")
    seen = await submitted(alice, task)
    assert seen["audience"] == 20
    waiting = await reviewer.get(f"/tasks/{task}")
    assert (waiting["state"], waiting["approval"]["status"]) == ("in_review", "waiting")
    assert problem(await alice.post(f"/tasks/{task}/launch"))[:2] == (409, "approval_required")
    done = (await reviewer.post(f"/tasks/{task}/approve", seen)).json()
    assert (done["state"], done["approval"]["status"]) == ("in_review", "approved")
    assert (done["approval"]["approved_audience"], done["approval"]["submitted_by"]) == (20, done["created_by"])
    assert done["approval"]["approved_by"] != done["created_by"]
    launched = await alice.post(f"/tasks/{task}/launch")
    assert (launched.status_code, launched.json()["state"]) == (202, "scheduled")
    assert launched.json()["approval"]["content_hash"] == seen["content_hash"]
    kinds = [one["kind"] for one in (await alice.get(f"/tasks/{task}/events"))["items"]]
    assert kinds == ["launched", "approved", "submitted", "created"]


async def test_nobody_approves_what_they_wrote(alice: Caller, reviewer: Caller, colleague: Caller, task: str) -> None:
    edited = await colleague.wire.put(f"/api/v1/tasks/{task}", json={**MAIL, "name": "Edited", "version": 1})
    assert edited.status_code == 200
    seen = await submitted(colleague, task)
    for author in (alice, colleague):
        assert problem(await author.post(f"/tasks/{task}/approve", seen))[:2] == (403, "author_cannot_approve")
    assert (await reviewer.post(f"/tasks/{task}/approve", seen)).status_code == 200
    for path in ("submit", "launch", "withdraw", "pause"):
        assert problem(await reviewer.post(f"/tasks/{task}/{path}"))[:2] == (403, "insufficient_scope")


async def test_an_approval_is_of_what_was_seen(alice: Caller, reviewer: Caller, task: str) -> None:
    seen = await submitted(alice, task)
    other = await reviewer.post(f"/tasks/{task}/approve", {**seen, "content_hash": "0" * 64})
    assert problem(other)[:2] == (409, "content_changed")
    more = await reviewer.post(f"/tasks/{task}/approve", {**seen, "audience": 9})
    assert problem(more)[:2] == (409, "audience_changed")
    near = await reviewer.post(f"/tasks/{task}/approve", {**seen, "audience": 30})
    assert near.json()["approval"]["approved_audience"] == 30  # what was seen, so that two tolerances do not add up


async def test_more_people_than_were_seen_need_another_look(
    alice: Caller, reviewer: Caller, task: str, database: Database
) -> None:
    seen = await submitted(alice, task)
    await change(database, "DELETE FROM contacts WHERE tenant_id = %s AND user_id > 'p15'", alice.tenant.id)
    answer = await reviewer.post(f"/tasks/{task}/approve", seen)
    assert problem(answer)[:2] == (409, "audience_changed")
    assert (await submitted(alice, task))["audience"] == 8
    body = await submitted(alice, task)
    assert (await reviewer.post(f"/tasks/{task}/approve", body)).status_code == 200


async def test_a_change_takes_the_approval_back(alice: Caller, reviewer: Caller, task: str) -> None:
    await approved(alice, reviewer, task)
    path = f"/api/v1/tasks/{task}"
    change_ = {**MAIL, "name": "Other", "version": 1}
    assert problem(await alice.wire.put(path, json=change_))[:2] == (409, "task_in_review")
    back = (await alice.post(f"/tasks/{task}/withdraw")).json()
    assert (back["state"], back["approval"]["status"], back["pinned"]) == ("draft", "none", None)
    assert (await alice.wire.put(path, json=change_)).status_code == 200
    assert problem(await alice.post(f"/tasks/{task}/launch"))[:2] == (409, "approval_required")
    await approved(alice, reviewer, task)
    assert (await alice.post(f"/tasks/{task}/submit")).json()["approval"]["status"] == "waiting"


async def test_a_rejected_task_is_a_draft_again(alice: Caller, reviewer: Caller, task: str) -> None:
    await approved(alice, reviewer, task)
    answer = await reviewer.post(f"/tasks/{task}/reject", {"reason": "The link is wrong."})
    assert (answer.json()["state"], answer.json()["reason"]) == ("draft", "rejected")
    event = (await alice.get(f"/tasks/{task}/events"))["items"][0]
    assert (event["kind"], event["detail"]) == ("rejected", {"said": "The link is wrong."})
    assert problem(await reviewer.post(f"/tasks/{task}/reject", {}))[:2] == (409, "task_draft")


async def test_what_was_approved_is_what_is_sent(
    alice: Caller, reviewer: Caller, task: str, database: Database
) -> None:
    await approved(alice, reviewer, task)
    template = (await alice.get("/templates/sale"))["id"]
    newer = parse_id("tmpl", template)
    await reworded(database, alice.tenant, (newer, 2))
    launched = (await alice.post(f"/tasks/{task}/launch")).json()
    assert [one["version"] for one in launched["pinned"]] == [1]
    copy = (await alice.post(f"/tasks/{task}/duplicate")).json()["id"]
    await approved(alice, reviewer, copy)
    await change(database, "UPDATE template_versions SET state = 'retired' WHERE template_id = %s", newer)
    answer = await alice.post(f"/tasks/{copy}/launch")
    assert problem(answer) == (422, "template_not_approved", ["/content/template"])


async def test_an_audience_that_changed_at_the_freeze_is_not_approved(
    alice: Caller, reviewer: Caller, task: str, database: Database
) -> None:
    await approved(alice, reviewer, task)
    frozen = "UPDATE campaign_tasks SET state = 'in_review', reason = 'audience_changed' WHERE id = %s"
    await change(database, frozen, parse_id(TASK, task))
    assert (await alice.get(f"/tasks/{task}"))["approval"]["status"] == "waiting"
    assert problem(await alice.post(f"/tasks/{task}/launch"))[:2] == (409, "approval_required")
    await approved(alice, reviewer, task)
    assert (await alice.post(f"/tasks/{task}/launch")).status_code == 202


async def test_without_review_an_author_may_approve_and_launch(alice: Caller, task: str) -> None:
    assert (await alice.wire.put("/api/v1/settings/review", json={"required": False})).status_code == 200
    seen = await submitted(alice, task)
    assert (await alice.post(f"/tasks/{task}/approve", seen)).status_code == 200
    assert (await alice.post(f"/tasks/{task}/launch")).status_code == 202


async def test_of_an_approval_and_a_withdrawal_one_wins(alice: Caller, reviewer: Caller, task: str) -> None:
    seen = await submitted(alice, task)
    answers = await asyncio.gather(
        *(reviewer.post(f"/tasks/{task}/approve", seen) for _ in range(3)), alice.post(f"/tasks/{task}/withdraw")
    )
    assert {one.status_code for one in answers} <= {200, 409}
    assert answers[-1].status_code == 200
    left = await alice.get(f"/tasks/{task}")
    assert (left["state"], left["approval"]["status"]) == ("draft", "none")
