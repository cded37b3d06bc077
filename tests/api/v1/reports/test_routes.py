"""Reports over HTTP: what they say, whose they are, and the recipients behind every number."""

import csv
import io
from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.identity import CAMPAIGN, TASK, public_id
from tests.api.conftest import Caller, problem
from tests.fixtures.frozen_tasks import Sending, sending_task
from tests.fixtures.rows import change


@pytest.fixture
async def task(database: Database, alice: Caller, decoy: Caller) -> Sending:
    """A task of which something is known of everybody, and another tenant's just like it."""
    for tenant in (decoy.tenant, alice.tenant):
        task = await sending_task(database, tenant.id, 30, page=10)
        await task.become("accepted", *range(1, 21))
        await task.become("rejected", 21, 22, reason="mailbox_unknown", provider="second")
        await task.become("skipped", 23, reason="no_consent", provider=None)
        await task.become("unknown", 24, reason="no_answer")
        await task.settle(1, 2)
        await task.link(1, "https://shop.de/sale")
        await task.touch("open", 1, 2, 3)
        await task.touch("open", 4, machine="prefetch")
        await task.touch("click", 2, link=1)
        await task.tell("bounced", 5, permanent=True, enhanced="5.1.1")
    return task


def path(task: Sending, rest: str) -> str:
    return f"/tasks/{public_id(TASK, task.id)}{rest}"


def total(groups: list[dict[str, Any]]) -> int:
    return sum(one["recipients"] for one in groups)


async def test_a_report_says_what_became_of_everybody(alice: Caller, task: Sending) -> None:
    report = await alice.get(path(task, "/report"))
    assert (report["audience"], report["final"], sum(report["counts"].values())) == (30, 23, 30)
    assert (report["counts"]["accepted"], report["counts"]["pending"], report["counts"]["held"]) == (20, 6, 0)
    assert sum(one["count"] for one in report["reasons"]) == 30
    assert {"state": "rejected", "reason": "mailbox_unknown", "count": 2} in report["reasons"]
    for name in ("variants", "languages", "senders"):
        assert total(report[name]) == 30
    assert total(report["domains"]["items"]) + report["domains"]["others"] == 30
    assert [(one["label"], one["opened"], one["clicked"]) for one in report["variants"]] == [("A", 1, 1), ("B", 2, 0)]
    assert report["opens"] == {"unique": 4, "unique_human": 3, "total": 4, "total_human": 3}
    [link] = report["links"]
    assert (link["url"], link["clicks"]["unique_human"]) == ("https://shop.de/sale", 1)
    assert report["rates"] == {
        "accepted": 0.666667, "bounced": 0.05, "complained": 0.0, "opened": 0.15, "clicked": 0.05,
    }  # fmt: skip
    assert (report["feedback"]["bounced_permanently"], report["per_minute"] > 0) == (1, True)
    assert report["timeline"]["bucket"] == "minute"
    ended = [sum(one["ended"].values()) for one in report["timeline"]["items"]]
    assert (sum(ended), sum(one["opened"] for one in report["timeline"]["items"])) == (23, 3)
    assert report["started_at"] <= report["first_sent_at"] <= report["last_sent_at"] <= report["as_of"]
    assert report["as_of"] < report["estimated_end_at"]
    unknown = (await alice.wire.get(report["unknown"]["recipients"])).json()
    assert [one["reason"] for one in unknown["items"]] == ["no_answer"]
    assert report["unknown"]["count"] == len(unknown["items"]) == 1


async def test_a_campaign_is_reported_with_its_tasks(alice: Caller, task: Sending) -> None:
    report = await alice.get(f"/campaigns/{public_id(CAMPAIGN, task.campaign_id)}/report")
    assert (report["audience"], report["counts"]["accepted"], report["opens"]["unique_human"]) == (30, 20, 3)
    assert [one["task_id"] for one in report["tasks"]] == [public_id(TASK, task.id)]


@pytest.mark.parametrize(
    ("asked", "seqs"),
    [
        ({"state": "rejected"}, [21, 22]),
        ({"reason": "no_consent"}, [23]),
        ({"state": "accepted", "domain": "gmail.com"}, [3, 6, 9, 12, 15, 18]),
        ({"opened": True}, [1, 2, 3]),
        ({"opened": True, "clicked": False}, [1, 3]),
        ({"opened": False, "state": "skipped"}, [23]),
        ({"variant": "A", "state": "pending"}, [26, 28, 30]),
        ({"language": "en", "state": "pending"}, [25, 27, 29]),
        ({"sender": "second"}, [21, 22]),
        ({"bounced": True}, [5]),
        ({"complained": True}, []),
        ({"template_variant": "b"}, []),
        ({"unsubscribed": True}, []),
    ],
)
async def test_any_set_of_recipients_is_to_be_had(
    alice: Caller, task: Sending, asked: dict[str, Any], seqs: list[int]
) -> None:
    for _ in range(2):  # before and after there are lines that tell which pages to look through
        found = await alice.get(path(task, "/recipients"), **asked)
        assert [one["seq"] for one in found["items"]] == seqs
        await alice.get(path(task, "/report"))
    answer = await alice.wire.get(f"/api/v1{path(task, '/recipients.csv')}", params=asked)
    assert [int(row["seq"]) for row in csv.DictReader(io.StringIO(answer.text))] == seqs


async def test_recipients_are_read_page_by_page(alice: Caller, task: Sending) -> None:
    page = await alice.get(path(task, "/recipients"), limit=7)
    seen = [one["seq"] for one in page["items"]]
    while page["next_cursor"]:
        page = await alice.get(path(task, "/recipients"), limit=7, cursor=page["next_cursor"])
        seen += [one["seq"] for one in page["items"]]
    assert seen == list(range(1, 31))
    first = await alice.get(path(task, "/recipients"), limit=7)
    answer = await alice.wire.get(
        f"/api/v1{path(task, '/recipients')}", params={"cursor": first["next_cursor"], "state": "accepted"}
    )
    assert problem(answer)[:2] == (422, "invalid_cursor")


async def test_a_recipient_is_told_with_what_came_back(alice: Caller, task: Sending) -> None:
    items = (await alice.get(path(task, "/recipients"), limit=5))["items"]
    second, fourth, fifth = items[1], items[3], items[4]
    assert (second["user_id"], second["variant"], second["sender"], second["attempts"]) == ("user_2", "A", "main", 1)
    assert (second["opened_at"] is None, second["clicked_at"] is None, second["machine_touches"]) == (False, False, 0)
    assert (fourth["opened_at"], fourth["machine_touches"]) == (None, 1)
    assert (fifth["bounce_status"], fifth["state"]) == ("5.1.1", "accepted")


async def test_a_sheet_holds_everybody_once_and_no_formula(alice: Caller, task: Sending, database: Database) -> None:
    statement = "UPDATE task_recipients SET user_id = %s WHERE task_id = %s AND seq = 3"
    await change(database, statement, '=HYPERLINK("http://evil.example")', task.id)
    answer = await alice.wire.get(f"/api/v1{path(task, '/recipients.csv')}")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{public_id(TASK, task.id)}.csv"'
    people = list(csv.DictReader(io.StringIO(answer.text)))
    assert [int(one["seq"]) for one in people] == list(range(1, 31))
    assert people[2]["user_id"] == '\'=HYPERLINK("http://evil.example")'
    assert (people[20]["state"], people[20]["reason"], people[22]["sender"]) == ("rejected", "mailbox_unknown", "")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"state": "lost"}, "unknown_value"),
        ({"variant": "C"}, "unknown_variant"),
        ({"openend": True}, "unknown_parameter"),
        ({"opened": "perhaps"}, "wrong_type"),
        ({"domain": ""}, "too_short"),
    ],
)
async def test_what_makes_no_sense_is_refused(alice: Caller, task: Sending, asked: dict[str, Any], code: str) -> None:
    for rest in ("/recipients", "/recipients.csv"):
        answer = await alice.wire.get(f"/api/v1{path(task, rest)}", params=asked)
        assert answer.status_code == 422, answer.text
        assert code in answer.text


async def test_nothing_of_another_tenant_is_told(decoy: Caller, task: Sending) -> None:
    campaign = f"/campaigns/{public_id(CAMPAIGN, task.campaign_id)}/report"
    for rest in ("/report", "/report/stream", "/recipients", "/recipients.csv"):
        assert problem(await decoy.wire.get(f"/api/v1{path(task, rest)}"))[:2] == (404, "not_found")
    assert problem(await decoy.wire.get(f"/api/v1{campaign}"))[:2] == (404, "not_found")
