"""Review: somebody else approves exactly what they saw, exactly one of several steps wins, and every step is noted."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from postroom.database.engine import Database
from postroom.settings import Settings
from postroom.tenants.keys import Scope
from tests.api.conftest import Caller, calling, problem
from tests.api.v1.templates.test_routes import made, saved, unreviewed
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change, rows


@pytest.fixture
async def reviewer(database: Database, settings: Settings, api_url: str, tenants: Tenants) -> AsyncIterator[Caller]:
    """Another key of the acting tenant."""
    async with calling(database, settings, api_url, tenants.alice) as caller:
        yield caller


@pytest.fixture
async def writer(database: Database, settings: Settings, api_url: str, tenants: Tenants) -> AsyncIterator[Caller]:
    """A key of the acting tenant that may write and not approve."""
    scopes = [Scope.TEMPLATES_READ, Scope.TEMPLATES_WRITE]
    async with calling(database, settings, api_url, tenants.alice, scopes) as caller:
        yield caller


async def step(caller: Caller, ref: str, verb: str, number: int = 1, **body: Any) -> Any:
    return await caller.post(f"/templates/{ref}/versions/{number}/{verb}", body)


async def approved(author: Caller, reviewer: Caller, ref: str, number: int = 1) -> None:
    """Bring a version through its review."""
    assert (await step(author, ref, "submit", number)).status_code == 200
    seen = await reviewer.get(f"/templates/{ref}/versions/{number}")
    answer = await step(reviewer, ref, "approve", number, content_hash=seen["content_hash"])
    assert answer.status_code == 200, answer.text


async def kinds(caller: Caller, ref: str) -> list[tuple[str, int | None]]:
    """What was done with a template, oldest first."""
    return [(one["kind"], one["version"]) for one in (await caller.get(f"/templates/{ref}/events"))["items"]][::-1]


async def test_a_version_goes_through_its_review(alice: Caller, reviewer: Caller) -> None:
    template = await made(alice)
    assert (template["status"], template["active_version"]) == ("draft", None)
    seen = template["newest"]["content_hash"]
    early = await step(reviewer, "welcome", "approve", content_hash=seen)
    assert problem(early)[:2] == (409, "state_conflict")
    assert (await step(alice, "welcome", "submit")).json()["state"] == "in_review"
    done = (await step(reviewer, "welcome", "approve", content_hash=seen)).json()
    assert (done["state"], done["approved_at"] is not None) == ("approved", True)
    assert done["author"] != done["approved_by"]
    assert (await alice.get("/templates/welcome"))["status"] == "active"
    assert (await step(alice, "welcome", "retire", reason="Superseded.")).json()["state"] == "retired"
    assert (await alice.get("/templates/welcome"))["active_version"] is None
    steps = [("created", 1), ("saved", 1), ("submitted", 1), ("approved", 1), ("retired", 1)]
    assert await kinds(alice, "welcome") == steps
    events = (await alice.get("/templates/welcome/events"))["items"]
    assert [events[0]["key_id"], events[1]["key_id"]] == [done["author"], done["approved_by"]]
    assert (events[0]["detail"], events[1]["detail"]) == ({"reason": "Superseded."}, {"content_hash": seen})


async def test_the_author_cannot_approve(alice: Caller, reviewer: Caller) -> None:
    template = await made(alice, status="active")
    seen = template["newest"]["content_hash"]
    assert template["newest"]["state"] == "in_review"
    own = await step(alice, "welcome", "approve", content_hash=seen)
    assert problem(own)[:2] == (403, "author_cannot_approve")
    assert (await step(alice, "welcome", "reject", reason="A mistake.")).json()["state"] == "rejected"
    again = (await saved(alice, "welcome", status="active")).json()
    assert (again["newest_version"], again["newest"]["content_hash"]) == (2, seen)
    assert (await step(reviewer, "welcome", "approve", 2, content_hash=seen)).json()["state"] == "approved"


async def test_an_approval_is_of_what_was_seen(alice: Caller, reviewer: Caller) -> None:
    seen = (await made(alice, status="active"))["newest"]["content_hash"]
    other = (await saved(alice, "welcome", content="Something else.", status="active")).json()["newest"]
    answer = await step(reviewer, "welcome", "approve", 2, content_hash=seen)
    assert problem(answer)[:2] == (409, "content_changed")
    assert problem(await step(reviewer, "welcome", "approve", 2, content_hash="abc"))[2] == ["/content_hash"]
    await step(reviewer, "welcome", "approve", 2, content_hash=other["content_hash"])
    template = await alice.get("/templates/welcome")
    assert (template["active_version"], template["newest_state"]) == (2, "approved")


async def test_the_database_keeps_an_approval_to_its_content(alice: Caller, database: Database) -> None:
    await made(alice)
    statement = "UPDATE template_versions SET state = 'approved', approved_hash = %s WHERE tenant_id = %s"
    for approved_hash in (b"x" * 32, None):
        with pytest.raises(psycopg.errors.CheckViolation):
            await change(database, statement, approved_hash, alice.tenant.id)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await change(database, "UPDATE template_versions SET content = '{}' WHERE tenant_id = %s", alice.tenant.id)
    for statement in ("UPDATE template_events SET kind = 'x'", "DELETE FROM template_events"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await change(database, statement)


async def test_an_older_approved_version_stays_until_it_is_retired(alice: Caller, reviewer: Caller) -> None:
    await made(alice)
    await approved(alice, reviewer, "welcome")
    await saved(alice, "welcome", content="Two.")
    assert (await alice.get("/templates/welcome"))["active_version"] == 1
    await approved(alice, reviewer, "welcome", 2)
    assert (await alice.get("/templates/welcome"))["active_version"] == 2
    await step(alice, "welcome", "retire", 2)
    assert (await alice.get("/templates/welcome"))["active_version"] == 1


async def test_a_tenant_may_do_without(alice: Caller) -> None:
    await made(alice)
    await unreviewed(alice)
    assert await alice.get("/settings/review") == {"required": False}
    assert (await step(alice, "welcome", "submit")).json()["state"] == "approved"
    assert (await saved(alice, "welcome", content="Two.")).json()["active_version"] == 2
    assert (await saved(alice, "welcome", content="Three.", status="draft")).json()["newest"]["state"] == "draft"
    assert ("approved", 2) in await kinds(alice, "welcome")
    assert (await alice.get("/templates/welcome/events", limit=200))["items"][-3]["detail"] == {"review": "off"}
    await alice.wire.put("/api/v1/settings/review", json={"required": True})
    switched = (await alice.get("/settings/review/events"))["items"]
    assert [one["kind"] for one in switched] == ["review_switched_on", "review_switched_off"]
    assert (await saved(alice, "welcome", content="Four.")).json()["newest"]["state"] == "draft"


async def test_a_key_needs_its_scopes(alice: Caller, writer: Caller) -> None:
    seen = (await made(alice, status="active"))["newest"]["content_hash"]
    for answer in (
        await step(writer, "welcome", "approve", content_hash=seen),
        await step(writer, "welcome", "reject"),
        await step(writer, "welcome", "retire"),
        await writer.wire.put("/api/v1/settings/review", json={"required": False}),
    ):
        assert problem(answer)[:2] == (403, "insufficient_scope")
    assert (await saved(writer, "welcome", content="Two.")).status_code == 200


async def test_of_many_approvals_one_counts(alice: Caller, reviewer: Caller, writer: Caller) -> None:
    seen = (await made(writer, status="active"))["newest"]["content_hash"]
    answers = await asyncio.gather(
        *(step(one, "welcome", "approve", content_hash=seen) for one in (reviewer, alice) * 4)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert {problem(answer)[1] for answer in answers if answer.status_code == 409} == {"state_conflict"}
    assert (await kinds(alice, "welcome")).count(("approved", 1)) == 1


async def test_of_an_approval_and_a_rejection_one_counts(alice: Caller, reviewer: Caller) -> None:
    for number in range(4):
        name = f"t{number}"
        seen = (await made(alice, name=name, status="active"))["newest"]["content_hash"]
        both = await asyncio.gather(step(reviewer, name, "approve", content_hash=seen), step(alice, name, "reject"))
        assert sorted(answer.status_code for answer in both) == [200, 409]
        state = (await alice.get(f"/templates/{name}"))["newest_state"]
        assert state == next(answer.json()["state"] for answer in both if answer.status_code == 200)


async def test_an_edit_while_it_is_approved_changes_nothing_that_was_seen(
    alice: Caller, reviewer: Caller, database: Database
) -> None:
    template = await made(alice, status="active")
    seen = template["newest"]["content_hash"]
    answers = await asyncio.gather(
        step(reviewer, "welcome", "approve", content_hash=seen),
        *(saved(alice, "welcome", content=f"Edit {number}.", base_version=1) for number in range(4)),
    )
    assert answers[0].status_code == 200
    assert sorted(answer.status_code for answer in answers[1:]) == [200, 409, 409, 409]
    now = await alice.get("/templates/welcome")
    assert (now["active_version"], now["newest_version"], now["newest_state"]) == (1, 2, "draft")
    assert (await alice.get("/templates/welcome/versions/1"))["variants"] == template["newest"]["variants"]
    hashes = "SELECT count(*) FROM template_versions WHERE tenant_id = %s AND approved_hash = content_hash"
    assert await rows(database, hashes, alice.tenant.id) == [{"count": 1}]


async def test_edits_at_once_make_a_version_each(alice: Caller) -> None:
    await made(alice)
    answers = await asyncio.gather(*(saved(alice, "welcome", content=f"Edit {number}.") for number in range(6)))
    assert sorted(answer.json()["newest"]["version"] for answer in answers) == [2, 3, 4, 5, 6, 7]
    assert len((await alice.get("/templates/welcome/versions"))["items"]) == 7


async def test_archiving_while_it_is_approved(alice: Caller, reviewer: Caller) -> None:
    template = await made(alice, status="active")
    archived, done = await asyncio.gather(
        alice.wire.delete("/api/v1/templates/welcome"),
        step(reviewer, template["id"], "approve", content_hash=template["newest"]["content_hash"]),
    )
    assert archived.status_code == 204
    assert done.status_code == 200 or problem(done)[:2] == (409, "template_archived")
    late = await step(reviewer, template["id"], "retire")
    assert problem(late)[:2] == (409, "template_archived")
