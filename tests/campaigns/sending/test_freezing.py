"""Audiences are frozen once: who, in which order, with which content, not before when."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from postroom.campaigns.sending import freezing
from postroom.database.engine import Database
from postroom.policy.reconsidering import reconsidered
from postroom.templates.content import Script
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change, rows
from tests.fixtures.tasks import Mailroom, Sale, exact, launched, people, recipients, task_row

UNAPPROVE = "UPDATE template_versions SET state = 'draft', approved_hash = NULL WHERE tenant_id = %s"
TWO = (Script(title="One", text="one"), Script(title="Two", text="two"))


async def test_a_large_audience_is_frozen_in_chunks_and_goes_on_where_it_stopped(
    database: Database, tenants: Tenants, mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "PAGES_AT_ONCE", 1)
    await people(database, tenants.alice.id, 120)
    task = await launched(database, Sale(tenants.alice.id))
    await mailroom.step(tenants.alice.id, task)
    row = await task_row(database, task)
    assert (row["state"], row["audience"], row["frozen_to"]) == ("sending", 120, "user000120")
    assert [one["seq"] for one in await recipients(database, task)] == list(range(1, 121))
    assert len(await rows(database, "SELECT FROM task_pages WHERE task_id = %s", task)) == 3
    assert await exact(database, tenants.alice.id, task) == {"pending": 120}
    back = "UPDATE campaign_tasks SET state = 'scheduled', frozen_at = NULL, frozen_to = 'user000120' WHERE id = %s"
    await change(database, back, task)
    await people(database, tenants.alice.id, range(121, 131))
    await mailroom.step(tenants.alice.id, task)
    assert (await task_row(database, task))["audience"] == 130
    assert len(await recipients(database, task)) == 130


async def test_a_local_time_is_each_ones_own(database: Database, tenants: Tenants, mailroom: Mailroom) -> None:
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    await people(database, tenants.alice.id, range(1, 3), "America/New_York")
    await people(database, tenants.alice.id, range(3, 5), "Asia/Tokyo")
    await people(database, tenants.alice.id, range(5, 7))
    plan = {"local_time": f"{day}T09:00:00", "fallback_zone": "Europe/Paris"}
    task = await launched(database, Sale(tenants.alice.id, plan=plan))
    await mailroom.step(tenants.alice.id, task)
    found = await recipients(database, task)
    assert [one["user_id"][-1] for one in found] == ["3", "4", "5", "6", "1", "2"]
    assert found[0]["not_before"] == datetime(day.year, day.month, day.day, 0, tzinfo=UTC)  # nine in Tokyo
    assert found[0]["not_before"] < found[2]["not_before"] < found[4]["not_before"]
    plan_now = await mailroom.look(tenants.alice.id, task)
    assert not plan_now.due
    assert plan_now.wait is not None
    assert "due at" in plan_now.story


@pytest.mark.parametrize(
    ("local", "instant"),
    [
        ("2040-03-25T02:30:00", datetime(2040, 3, 25, 1, 30, tzinfo=UTC)),  # no clock shows it: half past three
        ("2040-10-28T02:30:00", datetime(2040, 10, 28, 0, 30, tzinfo=UTC)),  # clocks show it twice: the first time
    ],
)
async def test_an_hour_that_the_clock_leaves_out_or_shows_twice_comes_once(  # noqa: PLR0913 - fixtures and what varies
    database: Database, tenants: Tenants, mailroom: Mailroom, local: str, instant: datetime
) -> None:
    await people(database, tenants.alice.id, 2, "Europe/Berlin")
    task = await launched(database, Sale(tenants.alice.id, plan={"local_time": local}))
    await mailroom.step(tenants.alice.id, task)
    assert [one["not_before"] for one in await recipients(database, task)] == [instant, instant]


async def test_who_moves_after_the_freeze_keeps_their_time(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    await people(database, tenants.alice.id, 1, "Asia/Tokyo")
    task = await launched(database, Sale(tenants.alice.id, plan={"local_time": f"{day}T09:00:00"}))
    await mailroom.step(tenants.alice.id, task)
    frozen = await recipients(database, task)
    async with reconsidered(database, tenants.alice.id, "user000001") as connection:
        await connection.execute("UPDATE contacts SET time_zone = 'America/New_York'")
    [moved] = await recipients(database, task)
    assert (moved["not_before"], moved["state"]) == (frozen[0]["not_before"], "pending")


async def test_contents_take_turns_or_are_drawn_by_weight(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    await people(database, tenants.alice.id, 400)
    turns = await launched(database, Sale(tenants.alice.id, words=TWO, weights=(1, 1), in_turns=True))
    drawn = await launched(database, Sale(tenants.alice.id, words=TWO, weights=(9, 1)))
    for task in (turns, drawn):
        await mailroom.step(tenants.alice.id, task)
    assert [one["part"] for one in await recipients(database, turns)][:4] == [0, 1, 0, 1]
    parts = Counter(one["part"] for one in await recipients(database, drawn))
    assert parts.keys() == {0, 1}
    assert 330 <= parts[0] <= 385


async def test_an_audience_that_changed_since_its_approval_goes_back(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    await people(database, tenants.alice.id, 30)
    near = await launched(database, Sale(tenants.alice.id, approved=25))
    far = await launched(database, Sale(tenants.alice.id, approved=10))
    await mailroom.step(tenants.alice.id, near)
    assert (await task_row(database, near))["state"] == "sending"
    assert (await mailroom.run(tenants.alice.id, far)).closed
    row = await task_row(database, far)
    assert (row["state"], row["reason"]) == ("in_review", "audience_changed")
    assert await recipients(database, far) == []
    [event] = await rows(database, "SELECT kind, detail FROM task_events WHERE task_id = %s", far)
    assert event == {"kind": "sent_back", "detail": {"approved": 10, "found": 30}}


async def test_what_cannot_begin_fails_with_its_reason(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    await people(database, tenants.alice.id, 3)
    wordless = await launched(database, Sale(tenants.alice.id))
    await change(database, UNAPPROVE, tenants.alice.id)
    ruleless = await launched(database, Sale(tenants.alice.id, rule={"phase_of_moon": "full"}))
    for task, reason in ((wordless, "template_not_approved"), (ruleless, "unknown_condition")):
        assert (await mailroom.run(tenants.alice.id, task)).closed
        row = await task_row(database, task)
        assert (row["state"], row["reason"]) == ("failed", reason)
        assert row["ended_at"]


async def test_it_waits_for_its_time(database: Database, tenants: Tenants, mailroom: Mailroom) -> None:
    await people(database, tenants.alice.id, 3)
    task = await launched(database, Sale(tenants.alice.id, delay=timedelta(hours=1)))
    plan = await mailroom.run(tenants.alice.id, task)
    assert plan.wait is not None
    assert timedelta(minutes=59) < plan.wait <= timedelta(hours=1)
    assert plan.story.startswith("starts at ")
    assert await recipients(database, task) == []
