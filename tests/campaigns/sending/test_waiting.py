"""What a task does while nothing of it may leave, and how those that wait leave room for the others."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from postroom.campaigns.sending import freezing
from postroom.campaigns.sending.claiming import PageDesk
from postroom.campaigns.sending.orders import Order, order
from postroom.campaigns.sending.settling import settle_page
from postroom.channels.base import Answer, Evidence, Mark, Pace, Parcel, Phase, Suspect, Verdict
from postroom.contracts.campaigns import PagePass
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection, Database
from postroom.deliveries.claiming import Claimed
from postroom.deliveries.handing import Tally
from tests.campaigns.conftest import FAST
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change
from tests.fixtures.sink import Behaviour, Sink
from tests.fixtures.tasks import (
    PAGE,
    Mailroom,
    Sale,
    by_state,
    exact,
    launched,
    open_mailroom,
    people,
    recipients,
)
from tests.fixtures.waiting import until

PAUSED = "state = 'paused', reason = 'requested'"
HELD = "held_until = now() + interval '1 hour', held_reason = 'provider_daily_limit'"


class Strait:
    """A provider that lets ten through, and then nobody for a moment."""

    kind = ChannelKind.EMAIL

    def __init__(self) -> None:
        self.asked = self.left = 0

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:
        self.asked += 1
        if self.asked % 11 == 0:
            wait = timedelta(milliseconds=20)
            pace = Pace(10, wait)
            return Answer(Verdict.UNAVAILABLE, Phase.CONNECT, "provider_limit", retry_after=wait, pace=pace)
        assert await mark(parcel.message or b"a message", "strait")
        self.left += 1
        return Answer(Verdict.ACCEPTED, Phase.ANSWER, "accepted", "strait")

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:
        return dict.fromkeys((one.delivery_id for one in suspects), Evidence.SILENT)

    async def close(self) -> None:
        """Nothing is held open."""


@pytest.mark.parametrize("why", [PAUSED, HELD])
async def test_it_asks_what_became_of_its_hand_offs(  # noqa: PLR0913 - fixtures and what varies
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink, why: str
) -> None:
    await people(database, tenants.alice.id, PAGE + 5)
    sink.behave("user3@example.org", Behaviour.drop("dot", times=1, taken=True))
    task = await launched(database, Sale(tenants.alice.id))
    await mailroom.step(tenants.alice.id, task)
    await mailroom.sender.send(PagePass(tenants.alice.id, task, 1), Tally(), lambda: False)
    assert (await by_state(database, task))["unknown"] == 1
    await change(database, f"UPDATE campaign_tasks SET {why} WHERE id = %s", task)

    async def known() -> bool:
        plan = await mailroom.run(tenants.alice.id, task)
        assert plan.wait is not None or "unknown" not in plan.counts
        return "unknown" not in await by_state(database, task)

    await until(known, 20)
    assert await by_state(database, task) == {"accepted": PAGE, "pending": 5}
    assert await exact(database, tenants.alice.id, task) == {"accepted": PAGE, "pending": 5}
    plan = await mailroom.look(tenants.alice.id, task)
    assert not plan.due
    assert plan.wait is not None
    assert (plan.wait > timedelta(days=2)) == (why == PAUSED)  # until somebody is over


async def test_a_pace_that_lets_nobody_through_for_long_is_waited_for_outside(
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink
) -> None:
    await people(database, tenants.alice.id, 5)
    end = (datetime.now(UTC) + timedelta(hours=10)).isoformat()
    task = await launched(database, Sale(tenants.alice.id, pace={"finish_by": end}))
    plan = await mailroom.run(tenants.alice.id, task)
    assert len(sink.accepted) == 1
    assert plan.wait is not None
    assert timedelta(hours=1) < plan.wait < timedelta(hours=4)
    assert plan.story.startswith("by its pace the next may leave at ")
    await change(database, "UPDATE campaign_tasks SET pace = '{}', pace_anchor = NULL WHERE id = %s", task)
    assert (await mailroom.run(tenants.alice.id, task)).closed
    assert len(sink.accepted) == 5


@pytest.mark.parametrize("change_to", ["pace = '{}', pace_anchor = NULL", PAUSED])
async def test_who_waits_for_the_pace_hears_of_a_change(  # noqa: PLR0913 - fixtures and what varies
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink, change_to: str
) -> None:
    await people(database, tenants.alice.id, 5)
    task = await launched(database, Sale(tenants.alice.id, pace={"per_minute": 3}))
    await mailroom.step(tenants.alice.id, task)
    waiting = asyncio.create_task(mailroom.step(tenants.alice.id, task))

    async def begun() -> bool:
        return len(sink.accepted) == 1

    await until(begun, 20)
    await change(database, f"UPDATE campaign_tasks SET {change_to} WHERE id = %s", task)
    await asyncio.wait_for(waiting, 5)
    assert len(sink.accepted) == (1 if change_to == PAUSED else 5)


async def test_a_slow_task_holds_no_berth_of_another_one(
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink
) -> None:
    await people(database, tenants.alice.id, 3 * PAGE)
    slow = await launched(database, Sale(tenants.alice.id, pace={"per_minute": 2}))
    fast = await launched(database, Sale(tenants.alice.id))
    await mailroom.step(tenants.alice.id, slow)
    assert (await mailroom.look(tenants.alice.id, slow)).due == (1,)  # more than one pass could only wait
    passes = [
        asyncio.create_task(mailroom.sender.send(PagePass(tenants.alice.id, slow, page), Tally(), lambda: False))
        for page in (1, 2, 3)
    ]

    async def begun() -> bool:
        return len(sink.accepted) > 0

    await until(begun, 20)
    assert (await asyncio.wait_for(mailroom.run(tenants.alice.id, fast), 10)).closed
    for one in passes:
        one.cancel()
    await asyncio.gather(*passes, return_exceptions=True)
    assert (await by_state(database, slow))["accepted"] == 1


async def test_who_is_to_be_tried_again_does_not_wait_for_the_last_page(
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink
) -> None:
    await people(database, tenants.alice.id, 6 * PAGE)
    sink.behave(f"user{2 * PAGE}@example.org", Behaviour.refuse("rcpt", "450 4.2.1 Later", times=1))
    task = await launched(database, Sale(tenants.alice.id))
    await mailroom.step(tenants.alice.id, task)
    for page in (1, 2):
        await mailroom.sender.send(PagePass(tenants.alice.id, task, page), Tally(), lambda: False)
    await change(database, "UPDATE task_pages SET next_at = now() WHERE task_id = %s AND number = 2", task)
    assert (await mailroom.look(tenants.alice.id, task)).due == (2, 3, 4, 5, 6)


async def test_behind_a_limit_only_those_are_claimed_that_it_lets_through(
    database: Database, tenants: Tenants, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people(database, tenants.alice.id, 4 * PAGE)
    strait, claimed, claim = Strait(), list[int](), PageDesk.claim

    async def counted(desk: PageDesk, connection: Connection, page: Order, limit: int) -> list[Claimed]:
        found = await claim(desk, connection, page, limit)
        claimed.append(len(found))
        return found

    monkeypatch.setattr(PageDesk, "claim", counted)
    async with open_mailroom(database, sink, FAST, strait) as mailroom:
        task = await launched(database, Sale(tenants.alice.id))

        async def over() -> bool:
            return (await mailroom.run(tenants.alice.id, task)).closed

        await until(over, 30)
    assert strait.left == 4 * PAGE
    assert sum(claimed) <= 1.5 * 4 * PAGE


async def test_a_zone_that_came_up_meanwhile_is_taken_for_unknown(
    database: Database, tenants: Tenants, mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "ZONES", f"{freezing.ZONES} AND false")
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    await people(database, tenants.alice.id, 2, "Asia/Tokyo")
    plan = {"local_time": f"{day}T09:00:00", "fallback_zone": "Europe/Paris"}
    task = await launched(database, Sale(tenants.alice.id, plan=plan))
    await mailroom.step(tenants.alice.id, task)
    nine = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    assert all(nine - timedelta(hours=2) <= one["not_before"] <= nine for one in await recipients(database, task))


async def test_a_claim_is_not_overwritten_by_whoever_counts_at_the_same_moment(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    await people(database, tenants.alice.id, 3)
    task = await launched(database, Sale(tenants.alice.id))
    await mailroom.step(tenants.alice.id, task)
    await change(database, "UPDATE task_pages SET counted = false WHERE task_id = %s", task)
    desk = PageDesk(mailroom.outfit.desk)

    async def claim() -> None:
        async with database.tenant_transaction(tenants.alice.id) as connection:
            page = await order(connection, task, 1)
            assert page is not None
            assert len(await desk.claim(connection, page, 10)) == 3

    async with database.tenant_transaction(tenants.alice.id) as connection:
        page = await order(connection, task, 1)
        assert page is not None
        await settle_page(connection, page, FAST.page_gather)
        claiming = asyncio.create_task(claim())
        await asyncio.wait({claiming}, timeout=0.3)
    await claiming
    assert await exact(database, tenants.alice.id, task) == {"claimed": 3}


async def test_a_pass_under_way_claims_nothing_more_once_the_task_is_held(
    database: Database, tenants: Tenants, mailroom: Mailroom
) -> None:
    await people(database, tenants.alice.id, 3)
    task = await launched(database, Sale(tenants.alice.id))
    await mailroom.step(tenants.alice.id, task)
    async with database.tenant_transaction(tenants.alice.id) as connection:
        page = await order(connection, task, 1)
    await change(database, f"UPDATE campaign_tasks SET {HELD} WHERE id = %s", task)
    assert page is not None
    async with database.tenant_transaction(tenants.alice.id) as connection:
        assert await PageDesk(mailroom.outfit.desk).claim(connection, page, 10) == []
    assert await by_state(database, task) == {"pending": 3}
