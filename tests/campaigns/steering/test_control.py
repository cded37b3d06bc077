"""Pause, resume, cancel and changes of mind while a task is sent: the rows decide, the mark has the last word."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from postroom.campaigns.pages import owe_tasks, touch_pages
from postroom.campaigns.sending.claiming import PageDesk
from postroom.campaigns.sending.orders import order
from postroom.campaigns.sending.passing import PageSender
from postroom.channels.base import Answer, Evidence, Mark, Parcel, Phase, Suspect, Verdict
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.deliveries.claiming import Claimed
from postroom.policy.reconsidering import reconsidered
from postroom.relay.sweeping import sweep
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change, rows
from tests.fixtures.sink import Sink
from tests.fixtures.tasks import Mailroom, Sale, by_state, exact, launched, people, recipients, task_row

PAUSE = "UPDATE campaign_tasks SET state = 'paused', reason = 'requested' WHERE id = %s"
RESUME = "UPDATE campaign_tasks SET state = 'sending', reason = NULL WHERE id = %s"
CANCEL = """
UPDATE campaign_tasks SET state = 'paused', reason = 'cancelling', cancel_requested = true WHERE id = %s
"""
ACCEPTED = Answer(Verdict.ACCEPTED, Phase.ANSWER, "accepted", "relay", 250)


class Away:
    """A way out that takes nothing for five minutes."""

    kind = ChannelKind.EMAIL

    def __init__(self) -> None:
        self.asked = 0

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:  # noqa: ARG002 - nothing is looked at
        self.asked += 1
        return Answer(Verdict.UNAVAILABLE, Phase.CONNECT, "quota_used_up", retry_after=timedelta(minutes=5))

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:
        return dict.fromkeys((one.delivery_id for one in suspects), Evidence.SILENT)

    async def close(self) -> None:
        """Nothing is held open."""


async def frozen(mailroom: Mailroom, sale: Sale, count: int) -> UUID:
    await people(mailroom.database, sale.tenant_id, count)
    task = await launched(mailroom.database, sale)
    await mailroom.step(sale.tenant_id, task)
    return task


async def claimed(mailroom: Mailroom, tenant_id: UUID, task: UUID, page: int = 1) -> list[Claimed]:
    async with mailroom.database.tenant_transaction(tenant_id) as connection:
        one = await order(connection, task, page)
        assert one is not None
        return await PageDesk(mailroom.outfit.desk).claim(connection, one, 500)


async def test_a_pause_stops_all_but_the_open_transactions_and_a_resume_sends_the_rest(
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink
) -> None:
    task = await frozen(mailroom, Sale(tenants.alice.id), 150)
    sink.hold("dot", "user20@")
    sending = asyncio.create_task(mailroom.step(tenants.alice.id, task))
    await sink.held("dot")
    await change(database, PAUSE, task)
    before = len(sink.accepted)
    sink.release()
    await sending
    assert len(sink.accepted) <= before + 4  # connections of the channel
    counted = await exact(database, tenants.alice.id, task)
    assert counted == await by_state(database, task)
    assert counted.keys() == {"accepted", "pending"}
    plan = await mailroom.look(tenants.alice.id, task)
    assert (plan.due, plan.story) == ((), "paused: requested")
    assert plan.wait is not None
    assert plan.wait > timedelta(days=2)  # until the first of them is over
    await change(database, RESUME, task)
    assert (await mailroom.run(tenants.alice.id, task)).closed
    assert len(sink.copies()) == len(sink.accepted) == 150


async def test_a_pass_that_outlives_its_run_leaves_nobody_unasked(
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink
) -> None:
    task = await frozen(mailroom, Sale(tenants.alice.id), 20)
    sink.hold("dot", "user20@")
    sending = asyncio.create_task(mailroom.step(tenants.alice.id, task))
    await sink.held("dot")
    await change(database, PAUSE, task)
    assert not (await mailroom.look(tenants.alice.id, task)).due  # the run that came after the one of the pass
    assert not (await task_row(database, task))["owed"]
    sink.dismiss()
    await sending
    assert "unknown" in await by_state(database, task)
    assert (await task_row(database, task))["owed"]


async def test_a_provider_that_is_away_is_waited_for_by_the_task_as_a_whole(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    task = await frozen(mailroom, Sale(tenants.alice.id), 120)
    away = Away()
    mailroom.sender = PageSender(replace(mailroom.outfit, channels={ChannelKind.EMAIL: away}))
    plan = await mailroom.run(tenants.alice.id, task)
    assert plan.wait is not None
    assert timedelta(minutes=4) < plan.wait <= timedelta(minutes=5)
    assert "quota used up" in plan.story
    assert away.asked <= 2 * 50  # what was claimed of one page, and no other page after it
    row = await task_row(database, task)
    assert (row["state"], row["held_reason"]) == ("sending", "quota_used_up")
    assert await exact(database, tenants.alice.id, task) == {"pending": 120}
    told = await rows(database, "SELECT kind, reason FROM task_events WHERE task_id = %s AND kind <> 'started'", task)
    assert told == [{"kind": "held", "reason": "quota_used_up"}]
    await change(database, "UPDATE campaign_tasks SET held_until = now() WHERE id = %s", task)
    mailroom.sender = PageSender(mailroom.outfit)
    assert (await mailroom.run(tenants.alice.id, task)).closed
    row = await task_row(database, task)
    assert (row["totals"], row["held_until"], row["held_reason"]) == ({"accepted": 120}, None, None)


async def test_a_cancelled_task_ends_when_every_open_hand_off_is_answered(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    task = await frozen(mailroom, Sale(tenants.alice.id), 120)
    [first, *_] = await claimed(mailroom, tenants.alice.id, task)
    assert await mailroom.outfit.ledger.mark(first.claim, b"bytes", "relay")
    await change(database, CANCEL, task)
    plan = await mailroom.run(tenants.alice.id, task)
    assert not plan.closed
    assert plan.wait is not None
    assert await exact(database, tenants.alice.id, task) == {"cancelled": 119, "handing_off": 1}
    await mailroom.outfit.ledger.record(first.claim, ACCEPTED)
    await change(database, "UPDATE task_pages SET next_at = now() WHERE task_id = %s AND next_at IS NOT NULL", task)
    assert (await mailroom.run(tenants.alice.id, task)).closed
    row = await task_row(database, task)
    assert (row["state"], row["totals"]) == ("cancelled", {"accepted": 1, "cancelled": 119})


async def test_a_killed_pass_leaves_claims_that_come_back_and_hand_offs_that_are_asked_about(
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink
) -> None:
    task = await frozen(mailroom, Sale(tenants.alice.id), 30)
    lost, sent, *_ = await claimed(mailroom, tenants.alice.id, task)
    for one in (lost, sent):
        assert await mailroom.outfit.ledger.mark(one.claim, b"bytes", f"relay-{tenants.alice.id.hex}")
    over = "UPDATE deliveries SET lease_until = now() - interval '1 s', marked_at = marked_at - interval '1 min'"
    await change(database, over + " WHERE task_id = %s", task)
    plan = await mailroom.run(tenants.alice.id, task)
    assert plan.closed
    assert (await task_row(database, task))["totals"] == {"accepted": 30}
    assert len({one.to for one in sink.accepted}) == len(sink.accepted) == 30
    events = await rows(
        database, "SELECT event FROM delivery_attempts WHERE delivery_id = %s ORDER BY id", lost.claim.delivery_id
    )
    assert [one["event"] for one in events] == ["marked", "unknown", "evidence", "marked", "accepted"]


async def test_the_sweeper_finds_lost_hand_offs_and_late_evidence(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    task = await frozen(mailroom, Sale(tenants.alice.id), 10)
    first, *_ = await claimed(mailroom, tenants.alice.id, task)
    assert await mailroom.outfit.ledger.mark(first.claim, b"bytes", "relay")
    await change(database, "UPDATE deliveries SET lease_until = now() - interval '1 s' WHERE task_id = %s", task)
    await change(database, "UPDATE campaign_tasks SET owed = false WHERE id = %s", task)
    await change(database, PAUSE, task)
    await sweep(database)
    assert (await task_row(database, task))["owed"]
    await mailroom.run(tenants.alice.id, task)
    assert await exact(database, tenants.alice.id, task) == {"claimed": 9, "unknown": 1}
    await change(database, RESUME, task)
    gone = "UPDATE deliveries SET state = 'failed', reason = 'outcome_unknown', ended_at = now() WHERE id = %s"
    await change(database, gone, first.claim.delivery_id)
    assert (await mailroom.run(tenants.alice.id, task)).closed
    assert (await task_row(database, task))["totals"] == {"accepted": 9, "failed": 1}
    await mailroom.outfit.ledger.record(first.claim, ACCEPTED)
    await sweep(database)
    assert (await task_row(database, task))["owed"]
    assert await exact(database, tenants.alice.id, task) == {"accepted": 10}
    assert (await mailroom.run(tenants.alice.id, task)).closed
    row = await task_row(database, task)
    assert (row["state"], row["totals"]) == ("completed_with_failures", {"accepted": 10})


async def test_who_unsubscribes_after_the_claim_gets_nothing(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    task = await frozen(mailroom, Sale(tenants.alice.id, message_class="marketing"), 5)
    items = await claimed(mailroom, tenants.alice.id, task)
    gone = next(one for one in items if one.parcel.user_id == "user000002")
    async with reconsidered(database, tenants.alice.id, "user000002") as connection:
        await connection.execute(
            """UPDATE contacts SET consent = '{"marketing": {"email": false}}' WHERE user_id = 'user000002'"""
        )
    assert not await mailroom.outfit.ledger.mark(gone.claim, b"bytes", "relay")
    await change(database, "UPDATE deliveries SET lease_until = now() - interval '1 s' WHERE task_id = %s", task)
    await change(database, "UPDATE task_pages SET next_at = now() WHERE task_id = %s", task)
    assert (await mailroom.run(tenants.alice.id, task)).closed
    found = {one["user_id"]: (one["state"], one["reason"]) for one in await recipients(database, task)}
    assert found["user000002"] == ("skipped", "unsubscribed")
    assert (await task_row(database, task))["totals"] == {"accepted": 4, "skipped": 1}


async def test_a_change_from_outside_is_counted_at_once(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    task = await frozen(mailroom, Sale(tenants.alice.id), 120)
    await mailroom.run(tenants.alice.id, task)
    again = """
    UPDATE deliveries SET state = 'pending', token = NULL, plan_start = attempt, ended_at = NULL, not_before = now()
    WHERE task_id = %s AND seq IN (3, 119)
    """
    async with database.tenant_transaction(tenants.alice.id) as connection:
        await connection.execute(again, (task,))
        assert await touch_pages(connection, task, [3, 119, 3]) == 2
        await connection.execute(RESUME, (task,))
        await owe_tasks(connection, [task])
    assert await exact(database, tenants.alice.id, task) == {"accepted": 118, "pending": 2}
    assert await exact(database, tenants.decoy.id, task) == {}
    assert (await mailroom.run(tenants.alice.id, task)).closed
    row = await task_row(database, task)
    assert (row["state"], row["totals"]) == ("completed", {"accepted": 120})
