"""What is said about a mail is written down once, believed where it may be, and suppresses by its status."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg.errors import DataError

from postroom.database.engine import Database
from postroom.feedback.consequences import DISABLED_BOUNCES, SOFT_BOUNCES
from postroom.feedback.intake import MANY, MOST, Intake
from postroom.feedback.report import Kind, Report
from postroom.identity import address_hash
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.house import PEPPER
from tests.fixtures.rows import change, rows
from tests.fixtures.sent import delivery, letter, mailing, recipient

TIMING = Timing()


def bounced(delivery_id: UUID, enhanced: str | None = "5.1.1", **changes: Any) -> Report:
    permanent = bool(enhanced and enhanced.startswith("5"))
    return replace(Report(Kind.BOUNCED, delivery_id, "dsn", permanent, enhanced, "no such user"), **changes)


async def suppressed(database: Database, tenant_id: UUID) -> list[tuple[str, str, str]]:
    found = await rows(
        database, "SELECT scope, reason, source, address_hash FROM suppressions WHERE tenant_id = %s", tenant_id
    )
    return [(row["scope"], row["reason"], row["source"]) for row in found]


async def kept(database: Database, delivery_id: UUID) -> list[tuple[str, str | None, str]]:
    found = await rows(
        database, "SELECT kind, enhanced, source FROM delivery_feedback WHERE delivery_id = %s ORDER BY id", delivery_id
    )
    return [(row["kind"], row["enhanced"], row["source"]) for row in found]


@pytest.fixture
def intake(database: Database) -> Intake:
    return Intake(database, TIMING)


async def test_a_mailbox_that_is_not_there_is_suppressed(intake: Intake, database: Database, tenants: Tenants) -> None:
    task = await mailing(database, tenants.alice.id)
    one = await recipient(database, task, address="Bea@shop.de")
    assert await intake.take([bounced(one)], tenants.alice.id) == 1
    assert await kept(database, one) == [("bounced", "5.1.1", "dsn")]
    assert await suppressed(database, tenants.alice.id) == [("all", "bounced", "feedback")]
    [row] = await rows(database, "SELECT address_hash FROM suppressions WHERE tenant_id = %s", tenants.alice.id)
    assert row["address_hash"] == address_hash(PEPPER, "email", "bea@shop.de")
    [row] = await rows(database, "SELECT task_id, permanent, detail FROM delivery_feedback WHERE delivery_id = %s", one)
    assert row == {"task_id": task.task_id, "permanent": True, "detail": "no such user"}


async def test_the_same_thing_is_written_once_and_order_does_not_matter(
    intake: Intake, database: Database, tenants: Tenants
) -> None:
    one = await letter(database, tenants.alice.id)
    late = Report(Kind.DELIVERED, one, "ses")
    for _ in range(5):
        assert await intake.take([bounced(one), bounced(one), late], tenants.alice.id) == 3
    await intake.take([bounced(one, source="ses")], tenants.alice.id)
    assert sorted(await kept(database, one)) == [
        ("bounced", "5.1.1", "dsn"),
        ("bounced", "5.1.1", "ses"),
        ("delivered", None, "ses"),
    ]
    assert len(await suppressed(database, tenants.alice.id)) == 1


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.COMPLAINED, [("marketing", "complained", "feedback")]),
        (Kind.UNSUBSCRIBED, [("marketing", "unsubscribed", "feedback")]),
        (Kind.DELAYED, []),
        (Kind.DELIVERED, []),
    ],
)
async def test_a_complaint_suppresses_marketing(
    database: Database, tenants: Tenants, kind: Kind, expected: list[tuple[str, str, str]]
) -> None:
    one = await letter(database, tenants.alice.id)
    await Intake(database, TIMING).take([Report(kind, one, "arf")], tenants.alice.id)
    assert await suppressed(database, tenants.alice.id) == expected


@pytest.mark.parametrize("enhanced", ["5.7.1", "5.7.26", "5.6.7", "5.2.3"])
async def test_what_is_said_about_us_never_suppresses(
    intake: Intake, database: Database, tenants: Tenants, enhanced: str
) -> None:
    for _ in range(SOFT_BOUNCES + 1):
        one = await letter(database, tenants.alice.id)
        await intake.take([bounced(one, enhanced)], tenants.alice.id)
        assert await kept(database, one) == [("bounced", enhanced, "dsn")]
    assert await suppressed(database, tenants.alice.id) == []


@pytest.mark.parametrize(
    ("enhanced", "enough"),
    [("5.2.2", SOFT_BOUNCES), ("4.4.7", SOFT_BOUNCES), (None, SOFT_BOUNCES), ("5.2.1", DISABLED_BOUNCES)],
)
async def test_enough_bounces_that_may_pass_suppress(
    database: Database, tenants: Tenants, enhanced: str | None, enough: int
) -> None:
    intake = Intake(database, TIMING)
    for number in range(1, enough + 1):
        one = await letter(database, tenants.alice.id)
        await intake.take([bounced(one, enhanced), bounced(one, enhanced, source="ses")], tenants.alice.id)
        assert len(await suppressed(database, tenants.alice.id)) == (number == enough)
    assert await suppressed(database, tenants.decoy.id) == []


async def test_old_bounces_and_other_addresses_do_not_count(database: Database, tenants: Tenants) -> None:
    brief = Intake(database, Timing(soft_window=timedelta(0)))
    for _ in range(SOFT_BOUNCES + 1):
        await brief.take([bounced(await letter(database, tenants.alice.id), "4.4.7")], tenants.alice.id)
    intake = Intake(database, TIMING)
    for number in range(SOFT_BOUNCES):
        one = await letter(database, tenants.alice.id, address=f"p{number}@shop.de")
        await intake.take([bounced(one, "4.4.7")], tenants.alice.id)
    assert await suppressed(database, tenants.alice.id) == []


async def test_others_are_believed_about_their_own_mail_only(
    intake: Intake, database: Database, tenants: Tenants
) -> None:
    theirs = await letter(database, tenants.decoy.id)
    nobodys = UUID(int=77)
    assert await intake.take([bounced(theirs), bounced(nobodys)], tenants.alice.id) == 0
    assert await kept(database, theirs) == []
    assert await intake.take([bounced(theirs, proven=True)], tenants.alice.id) == 1
    assert await suppressed(database, tenants.decoy.id) == [("all", "bounced", "feedback")]
    assert await suppressed(database, tenants.alice.id) == []


async def test_a_report_about_somebody_else_is_not_believed(
    intake: Intake, database: Database, tenants: Tenants
) -> None:
    one = await letter(database, tenants.alice.id)
    assert await intake.take([bounced(one, recipient="eve@shop.de")], tenants.alice.id) == 0
    assert await intake.take([bounced(one, recipient="ADA@shop.de")], tenants.alice.id) == 1
    assert await intake.take([bounced(one, source="ses", recipient="eve@shop.de", proven=True)], tenants.alice.id) == 1


async def test_nothing_is_known_of_what_was_never_handed_over(
    intake: Intake, database: Database, tenants: Tenants
) -> None:
    one = await letter(database, tenants.alice.id, state="pending", attempt=0)
    assert await intake.take([bounced(one, proven=True)], tenants.alice.id) == 0
    assert (await kept(database, one), await suppressed(database, tenants.alice.id)) == ([], [])


async def test_a_bounce_is_evidence(intake: Intake, database: Database, tenants: Tenants) -> None:
    task = await mailing(database, tenants.alice.id)
    of_task = await recipient(database, task, state="held")
    of_notification = await letter(database, tenants.alice.id, state="unknown")
    await intake.take([bounced(of_task), bounced(of_notification)], tenants.alice.id)
    for one in (of_task, of_notification):
        assert ((await delivery(database, one))["state"], (await delivery(database, one))["token"]) == (
            "accepted",
            None,
        )
    [page] = await rows(database, "SELECT counted FROM task_pages WHERE task_id = %s", task.task_id)
    assert page == {"counted": False}


async def test_a_notification_tells_of_it(intake: Intake, database: Database, tenants: Tenants) -> None:
    one = await letter(database, tenants.alice.id)
    await intake.take([bounced(one), bounced(one)], tenants.alice.id)
    events = await rows(
        database,
        "SELECT kind, reason, detail FROM notification_events WHERE notification_id = %s",
        (await delivery(database, one))["notification_id"],
    )
    told = {"channel": "email", "enhanced": "5.1.1", "permanent": True}
    assert events == [{"kind": "feedback", "reason": "bounced", "detail": told}]


async def test_an_erased_recipient_is_not_suppressed_by_nothing(
    intake: Intake, database: Database, tenants: Tenants
) -> None:
    one = await letter(database, tenants.alice.id)
    await change(database, "UPDATE deliveries SET address = NULL, address_hash = NULL WHERE id = %s", one)
    assert await intake.take([bounced(one), Report(Kind.COMPLAINED, one, "arf")], tenants.alice.id) == 2
    assert await suppressed(database, tenants.alice.id) == []


async def test_one_message_keeps_so_much_and_no_more(intake: Intake, database: Database, tenants: Tenants) -> None:
    one, other = [await letter(database, tenants.alice.id) for _ in range(2)]
    for start in range(0, 3 * MOST, MOST):
        said = [replace(bounced(one), enhanced=f"5.9.{number}") for number in range(start, start + MOST)]
        await intake.take(said, tenants.alice.id)
    await intake.take([bounced(other)], tenants.alice.id)
    counted = "SELECT count(*) AS count FROM delivery_feedback WHERE delivery_id = %s"
    assert [(await rows(database, counted, delivery))[0]["count"] for delivery in (one, other)] == [MOST, 1]


async def test_one_call_writes_no_more_than_a_message_may_keep(
    intake: Intake, database: Database, tenants: Tenants
) -> None:
    one, other = [await letter(database, tenants.alice.id) for _ in range(2)]
    many = [replace(bounced(one), enhanced=f"5.9.{number}") for number in range(3 * MOST)]
    await intake.take([*many, bounced(other)], tenants.alice.id)
    assert (len(await kept(database, one)), len(await kept(database, other))) == (MOST, 1)


async def test_what_is_said_often_leaves_room_for_what_is_new(
    intake: Intake, database: Database, tenants: Tenants
) -> None:
    one = await letter(database, tenants.alice.id)
    often = [Report(Kind.DELIVERED, one, "ses") for _ in range(3 * MOST)]
    await intake.take([*often, bounced(one, source="ses")], tenants.alice.id)
    assert sorted(await kept(database, one)) == [("bounced", "5.1.1", "ses"), ("delivered", None, "ses")]


async def test_calls_that_come_together_share_a_transaction(
    intake: Intake, database: Database, tenants: Tenants
) -> None:
    ids = [await letter(database, tenants.alice.id, address=f"p{number}@shop.de") for number in range(30)]
    theirs = await letter(database, tenants.decoy.id)
    calls = [intake.take([bounced(one), bounced(theirs)], tenants.alice.id) for one in ids]
    large = intake.take([Report(Kind.DELIVERED, one, "ses") for one in [*ids, *ids]], tenants.alice.id)
    assert len(ids) * 2 > MANY
    assert await asyncio.gather(*calls, large) == [1] * 30 + [60]
    assert [len(await kept(database, one)) for one in ids] == [2] * 30
    assert await kept(database, theirs) == []
    written = "SELECT DISTINCT xmin FROM delivery_feedback WHERE kind = 'bounced' AND delivery_id = ANY(%s)"
    assert len(await rows(database, written, ids)) == 1


async def test_a_call_that_cannot_be_written_takes_no_other_with_it(
    intake: Intake, database: Database, tenants: Tenants
) -> None:
    ids = [await letter(database, tenants.alice.id) for _ in range(4)]
    said = [bounced(one) for one in ids]
    said[2] = replace(said[2], detail="\0")
    found = await asyncio.gather(*(intake.take([one], tenants.alice.id) for one in said), return_exceptions=True)
    assert [type(one) for one in found] == [int, int, DataError, int]
    assert [len(await kept(database, one)) for one in ids] == [1, 1, 0, 1]
