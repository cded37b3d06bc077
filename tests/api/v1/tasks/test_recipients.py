"""Recipients of a task: left out, taken up again when they failed, and asked about one by one."""

import asyncio
from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.identity import TASK, parse_id
from tests.api.conftest import Caller, problem
from tests.api.v1.tasks.test_routes import drafted
from tests.campaigns.ground import Recipient, frozen, letter
from tests.fixtures.rows import change, rows
from tests.fixtures.tasks import task_row

AUDIENCE: list[Recipient] = [
    ("p1", "accepted", "accepted"),
    ("p2", "rejected", "mailbox_full"),
    ("p3", "rejected", "mailbox_unknown"),
    ("p4", "failed", "outcome_unknown"),
    ("p5", "expired", "expired"),
    ("p6", "skipped", "unsubscribed"),
    ("p7", "failed", "template_undefined"),
    ("p8", "cancelled", "cancelled"),
]
OPEN: list[Recipient] = [
    ("p1", "pending", None),
    ("p2", "claimed", None),
    ("p3", "deferred", "temporary_refusal"),
    ("p4", "handing_off", None),
    ("p5", "unknown", "no_answer"),
    ("p6", "accepted", "accepted"),
]


@pytest.fixture
async def task(alice: Caller, database: Database) -> str:
    """A draft whose template is there."""
    await letter(database, alice.tenant)
    return str((await drafted(alice))["id"])


async def states(database: Database, task: str) -> dict[str, str]:
    """The state of everybody."""
    statement = """SELECT r.user_id, d.state FROM task_recipients r JOIN deliveries d ON d.id = r.delivery_id
                   WHERE r.task_id = %s"""
    return {row["user_id"]: row["state"] for row in await rows(database, statement, parse_id(TASK, task))}


async def touched(database: Database, task: str) -> list[int]:
    """Pages that somebody must look at and count again."""
    statement = "SELECT number FROM task_pages WHERE task_id = %s AND NOT counted AND next_at <= now() ORDER BY number"
    return [row["number"] for row in await rows(database, statement, parse_id(TASK, task))]


async def retried(caller: Caller, task: str, **asked: Any) -> tuple[int, bool]:
    answer = await caller.post(f"/tasks/{task}/retry", asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["retried"], answer.json()["more"]


async def test_a_finished_task_takes_up_what_failed(alice: Caller, task: str, database: Database) -> None:
    task_id = await frozen(database, alice.tenant, task, AUDIENCE, "completed_with_failures")
    assert (await alice.get(f"/tasks/{task}"))["counts"]["rejected"] == 2
    assert await retried(alice, task) == (4, False)
    after = await states(database, task)
    assert {user for user, state in after.items() if state == "pending"} == {"p2", "p3", "p5", "p7"}
    assert (after["p4"], after["p1"], after["p6"], after["p8"]) == ("failed", "accepted", "skipped", "cancelled")
    row = await task_row(database, task_id)
    assert (row["state"], row["epoch"], row["owed"], row["ended_at"], row["totals"]) == ("sending", 2, True, None, None)
    assert await touched(database, task) == [1, 2, 3, 4]
    counts = (await alice.get(f"/tasks/{task}"))["counts"]
    assert (counts["pending"], sum(counts.values())) == (4, len(AUDIENCE))
    [again] = await rows(
        database,
        """SELECT d.* FROM deliveries d JOIN task_recipients r ON r.delivery_id = d.id
           WHERE r.task_id = %s AND r.user_id = 'p2'""",
        task_id,
    )
    assert (again["plan_start"], again["attempt"], again["resends"], again["reason"]) == (4, 4, 0, None)
    assert (again["expires_at"] - again["not_before"], again["ended_at"]) == (row["time_to_live"], None)
    assert await retried(alice, task) == (0, False)
    assert (await task_row(database, task_id))["epoch"] == 2


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"classes": ["rejected"]}, {"p2", "p3"}),
        ({"classes": ["failed", "expired"]}, {"p5", "p7"}),
        ({"reasons": ["mailbox_"]}, {"p2", "p3"}),
        ({"reasons": ["mailbox_full", "expired"]}, {"p2", "p5"}),
        ({"reasons": ["mailbox_%"]}, set()),
        ({"reasons": ["outcome_unknown"]}, {"p4"}),
        ({"reasons": ["o"]}, set()),
        ({"reasons": ["outcome_unknown"], "classes": ["rejected"]}, set()),
    ],
)
async def test_failures_are_chosen_by_class_and_reason(  # noqa: PLR0913 - a table
    alice: Caller, task: str, database: Database, *, asked: dict[str, Any], found: set[str]
) -> None:
    task_id = await frozen(database, alice.tenant, task, AUDIENCE, "completed_with_failures")
    assert await retried(alice, task, **asked) == (len(found), False)
    assert {user for user, state in (await states(database, task)).items() if state == "pending"} == found
    state = (await task_row(database, task_id))["state"]
    assert state == ("sending" if found else "completed_with_failures")
    again = await rows(database, "SELECT resends FROM deliveries WHERE task_id = %s AND resends > 0", task_id)
    assert len(again) == ("p4" in found)


async def test_only_failures_are_retried(alice: Caller, task: str, database: Database) -> None:
    await frozen(database, alice.tenant, task, AUDIENCE, "completed_with_failures")
    answer = await alice.post(f"/tasks/{task}/retry", {"classes": ["failed", "accepted"]})
    assert problem(answer) == (422, "not_a_failure", ["/classes/1"])
    await change(database, "UPDATE campaign_tasks SET state = 'cancelled' WHERE id = %s", parse_id(TASK, task))
    assert problem(await alice.post(f"/tasks/{task}/retry", {}))[:2] == (409, "task_cancelled")
    assert (await states(database, task))["p2"] == "rejected"


async def test_a_paused_task_stays_paused(alice: Caller, task: str, database: Database) -> None:
    task_id = await frozen(database, alice.tenant, task, AUDIENCE)
    assert (await alice.post(f"/tasks/{task}/pause")).is_success
    assert await retried(alice, task, reasons=["mailbox"]) == (2, False)
    assert (await task_row(database, task_id))["state"] == "paused"


async def test_retries_at_once_take_up_everybody_once(alice: Caller, task: str, database: Database) -> None:
    task_id = await frozen(database, alice.tenant, task, AUDIENCE, "completed_with_failures")
    counts = await asyncio.gather(*(retried(alice, task) for _ in range(6)))
    assert sum(count for count, _ in counts) == 4
    assert (await task_row(database, task_id))["epoch"] == 2


async def test_people_are_left_out(alice: Caller, task: str, database: Database) -> None:
    await frozen(database, alice.tenant, task, OPEN)
    people = ["p1", "p2", "p3", "p4", "p5", "p6", "nobody"]
    answer = await alice.post(f"/tasks/{task}/skip", {"user_ids": people})
    assert (answer.status_code, answer.json()["outcomes"]) == (
        200,
        {
            "p1": "skipped",
            "p2": "skipped",
            "p3": "skipped",
            "p4": "in_flight",
            "p5": "in_flight",
            "p6": "accepted",
            "nobody": "not_in_audience",
        },
    )
    after = await states(database, task)
    assert [after[f"p{number}"] for number in range(1, 7)] == [*["skipped"] * 3, "handing_off", "unknown", "accepted"]
    assert await touched(database, task) == [1, 2]
    assert (await task_row(database, parse_id(TASK, task)))["owed"]
    claims = await rows(
        database, "SELECT reason, token FROM deliveries WHERE task_id = %s AND seq = 2", parse_id(TASK, task)
    )
    assert claims == [{"reason": "skipped_by_operator", "token": None}]
    event = (await alice.get(f"/tasks/{task}/events"))["items"][0]
    assert (event["kind"], event["detail"]) == ("recipients_skipped", {"recipients": 3})
    again = await alice.post(f"/tasks/{task}/skip", {"user_id": "p1"})
    assert again.json()["outcomes"] == {"p1": "skipped"}


@pytest.mark.parametrize("body", [{}, {"user_id": "p1", "user_ids": ["p2"]}])
async def test_somebody_must_be_named(alice: Caller, task: str, body: dict[str, Any]) -> None:
    assert problem(await alice.post(f"/tasks/{task}/skip", body)) == (422, "people_required", [""])


async def test_why_somebody_got_it_or_not(alice: Caller, task: str, database: Database) -> None:
    early = await alice.get(f"/tasks/{task}/recipients/p1")
    assert (early["in_audience"], early["state"], early["reason"]) == (False, None, "audience_not_frozen")
    task_id = await frozen(database, alice.tenant, task, AUDIENCE)
    [delivery] = await rows(database, "SELECT id FROM deliveries WHERE task_id = %s AND seq = 3", task_id)
    for event, code in (("marked", None), ("rejected", 550)):
        statement = """INSERT INTO delivery_attempts (delivery_id, tenant_id, attempt, event, code, enhanced)
                       VALUES (%s, %s, 1, %s, %s, '5.1.1')"""
        await change(database, statement, delivery["id"], alice.tenant.id, event, code)
    bounce = """INSERT INTO delivery_feedback (tenant_id, delivery_id, task_id, kind, source, permanent)
                VALUES (%s, %s, %s, 'bounced', 'dsn', true)"""
    await change(database, bounce, alice.tenant.id, delivery["id"], task_id)
    told = await alice.get(f"/tasks/{task}/recipients/p3")
    assert (told["in_audience"], told["state"], told["reason"]) == (True, "rejected", "mailbox_unknown")
    assert (told["seq"], told["page"], told["domain"]) == (3, 2, "shop.de")
    assert [(one["event"], one["code"]) for one in told["attempts"]] == [("marked", None), ("rejected", 550)]
    assert [(one["kind"], one["source"]) for one in told["feedback"]] == [("bounced", "dsn")]
    other = await alice.get(f"/tasks/{task}/recipients/nobody")
    assert (other["in_audience"], other["reason"]) == (False, "not_in_audience")


async def test_a_campaign_is_corrected_as_a_whole(alice: Caller, task: str, database: Database) -> None:
    campaign = (await alice.get(f"/tasks/{task}"))["campaign_id"]
    copy = (await alice.post(f"/tasks/{task}/duplicate")).json()["id"]
    gone = (await alice.post(f"/tasks/{task}/duplicate")).json()["id"]
    await frozen(database, alice.tenant, task, AUDIENCE, "completed_with_failures")
    await frozen(database, alice.tenant, copy, OPEN)
    await frozen(database, alice.tenant, gone, AUDIENCE)
    assert (await alice.post(f"/tasks/{gone}/cancel")).status_code == 202
    skipped = (await alice.post(f"/campaigns/{campaign}/skip", {"user_id": "p1"})).json()
    assert [(one["task_id"], one["outcomes"]) for one in skipped["items"]] == [(copy, {"p1": "skipped"})]
    again = (await alice.post(f"/campaigns/{campaign}/retry", {"classes": ["rejected"]})).json()
    assert again["retried"] == 2
    assert [(one["task_id"], one["retried"]) for one in again["items"]] == [(task, 2), (copy, 0)]
