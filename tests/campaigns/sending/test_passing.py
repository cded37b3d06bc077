"""A task from launched to accounted for, through real SMTP, without an engine."""

from collections import Counter
from datetime import timedelta

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.identity import address_hash
from postroom.templates.content import Script
from tests.fixtures.database import Tenants
from tests.fixtures.house import PEPPER
from tests.fixtures.rows import change, rows
from tests.fixtures.sink import Behaviour, Sink
from tests.fixtures.tasks import Mailroom, Sale, by_state, exact, launched, people, recipients, task_row

SUPPRESS = """
INSERT INTO suppressions (tenant_id, channel, address_hash, reason, scope) VALUES (%s, 'email', %s, 'bounced', 'all')
"""


async def test_everybody_gets_it_once_and_the_numbers_add_up(
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink
) -> None:
    await people(database, tenants.alice.id, 120)
    await people(database, tenants.decoy.id, 3)
    task = await launched(database, Sale(tenants.alice.id))
    plan = await mailroom.run(tenants.alice.id, task)
    assert plan.closed
    row = await task_row(database, task)
    assert (row["state"], row["audience"], row["totals"]) == ("completed", 120, {"accepted": 120})
    assert Counter(one.to for one in sink.accepted) == {f"user{n}@example.org": 1 for n in range(1, 121)}
    assert await exact(database, tenants.alice.id, task) == {"accepted": 120}
    statement = "SELECT first_seq, last_seq, next_at FROM task_pages WHERE task_id = %s ORDER BY number"
    pages = await rows(database, statement, task)
    assert [(one["first_seq"], one["last_seq"]) for one in pages] == [(1, 50), (51, 100), (101, 120)]
    assert "News for User 7" in next(
        one.raw.decode() for one in sink.letters if one.recipients == ("user7@example.org",)
    )
    assert [row["seq"] for row in await recipients(database, task)] == list(range(1, 121))
    assert await by_state(database, task) == {"accepted": 120}


async def test_what_is_put_off_waits_for_its_retry_and_blocks_nobody(
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink
) -> None:
    await people(database, tenants.alice.id, 60)
    sink.behave("user7@example.org", Behaviour.refuse("rcpt", "450 4.2.1 Later", times=1))
    sink.behave("user8@example.org", Behaviour.refuse("rcpt", "550 5.1.1 Nobody"))
    task = await launched(database, Sale(tenants.alice.id))
    plan = await mailroom.run(tenants.alice.id, task)
    assert not plan.closed
    assert plan.wait is not None
    assert timedelta(seconds=50) < plan.wait <= timedelta(minutes=1)
    assert await exact(database, tenants.alice.id, task) == {"accepted": 58, "deferred": 1, "rejected": 1}
    await change(
        database,
        "UPDATE deliveries SET not_before = now() WHERE task_id = %s AND state = 'deferred'",
        task,
    )
    await change(database, "UPDATE task_pages SET next_at = now() WHERE task_id = %s AND next_at IS NOT NULL", task)
    assert (await mailroom.run(tenants.alice.id, task)).closed
    row = await task_row(database, task)
    assert (row["state"], row["totals"]) == ("completed_with_failures", {"accepted": 59, "rejected": 1})
    assert len(sink.accepted) == 59


async def test_a_template_that_breaks_for_one_fails_for_that_one(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    await people(database, tenants.alice.id, 20)
    await change(database, "UPDATE contacts SET attributes = '{}' WHERE user_id = 'user000003'")
    words = Script(title="News", text="{{ contact.name.first or contact.name.upper() }}")
    task = await launched(database, Sale(tenants.alice.id, words=(words,)))
    await mailroom.run(tenants.alice.id, task)
    row = await task_row(database, task)
    found = await recipients(database, task)
    assert row["state"] == "completed_with_failures"
    assert sum(row["totals"].values()) == row["audience"] == 20
    assert {one["state"] for one in found if one["user_id"] == "user000003"} == {"failed"}


async def test_who_is_suppressed_or_has_no_address_is_skipped_with_the_reason(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    await people(database, tenants.alice.id, 10)
    await change(database, "UPDATE contacts SET addresses = '{}' WHERE user_id = 'user000001'")
    await change(
        database,
        """UPDATE contacts SET consent = '{"marketing": {"email": false}}' WHERE user_id = 'user000002'""",
    )
    hashed = address_hash(PEPPER, ChannelKind.EMAIL, "user3@example.org")
    await change(
        database,
        SUPPRESS,
        tenants.alice.id,
        hashed,
    )
    task = await launched(database, Sale(tenants.alice.id, message_class="marketing"))
    assert (await mailroom.run(tenants.alice.id, task)).closed
    found = {one["user_id"]: (one["state"], one["reason"]) for one in await recipients(database, task)}
    assert found["user000001"] == ("skipped", "no_address")
    assert found["user000002"] == ("skipped", "unsubscribed")
    assert found["user000003"] == ("skipped", "suppressed")
    assert (await task_row(database, task))["totals"] == {"accepted": 7, "skipped": 3}


async def test_a_marketing_message_carries_the_way_out(
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink
) -> None:
    await people(database, tenants.alice.id, 1)
    sale = Sale(tenants.alice.id, message_class="marketing", sender={"from": "Shop <shop@alice.example>"})
    task = await launched(database, sale)
    await mailroom.run(tenants.alice.id, task)
    [letter] = sink.letters
    assert letter.mail_from == "shop@alice.example"
    raw = letter.raw.decode()
    assert "List-Unsubscribe: <" in raw
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in raw
    assert "Stop: http" in raw


async def test_an_empty_audience_is_over_at_once(database: Database, tenants: Tenants, mailroom: Mailroom) -> None:
    task = await launched(database, Sale(tenants.alice.id))
    assert (await mailroom.run(tenants.alice.id, task)).closed
    row = await task_row(database, task)
    assert (row["state"], row["audience"], row["totals"]) == ("completed", 0, {})


async def test_what_was_not_sent_in_time_is_expired(database: Database, tenants: Tenants, mailroom: Mailroom) -> None:
    await people(database, tenants.alice.id, 5)
    task = await launched(database, Sale(tenants.alice.id))
    await mailroom.step(tenants.alice.id, task)
    await change(database, "UPDATE deliveries SET expires_at = now() WHERE task_id = %s", task)
    await mailroom.run(tenants.alice.id, task)
    row = await task_row(database, task)
    assert (row["state"], row["totals"]) == ("completed_with_failures", {"expired": 5})
