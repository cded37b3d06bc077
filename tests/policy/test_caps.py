"""Frequency caps: exact at the instant, and exact for two workers at once."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.database.engine import Database, Role
from postroom.deliveries.ledger import Ledger
from postroom.errors import Unavailable
from postroom.policy.caps import Cap, next_place
from postroom.timing import Timing
from tests.fixtures.database import POOL_SIZES, Tenants
from tests.fixtures.ledger import WITHDRAWN
from tests.fixtures.rows import Draft, change, deliveries, rows
from tests.policy.people import Desk, choose

EARLIER = """
UPDATE contact_usage SET sent_at = (SELECT array_agg(at - %s ORDER BY n)
                                    FROM unnest(sent_at) WITH ORDINALITY AS u (at, n))
WHERE tenant_id = %s AND sent_at <> '{}'
"""
NOON = datetime(2026, 11, 20, 11, tzinfo=UTC)
HOUR, DAY, LONG = timedelta(hours=1), timedelta(days=1), timedelta(days=2)
WINDOW = HOUR + Timing().claim_lease  # what was counted may take a claim to leave
SECONDS = st.integers(0, 7200).map(lambda second: NOON - timedelta(seconds=second))


@given(st.lists(SECONDS, max_size=12).map(sorted), st.integers(1, 4), st.integers(1, 6))
def test_a_place_is_given_at_the_first_instant_at_which_no_window_is_too_full(
    taken: list[datetime], hour: int, day: int
) -> None:
    caps = (Cap("hour", hour, HOUR), Cap("day", day, DAY))

    def fits(at: datetime) -> bool:
        return all(sum(one > at - cap.window for one in taken) < cap.limit for cap in caps)

    place = next_place(taken, caps, NOON)
    assert (place is None) == fits(NOON)
    if place:
        assert fits(place.at)
        assert not fits(place.at - timedelta.resolution)


@pytest.fixture
def desk(database: Database, tenants: Tenants) -> Desk:
    return Desk(database, tenants.alice.id)


async def usage(desk: Desk) -> dict[str, Any]:
    [row] = await rows(desk.database, "SELECT * FROM contact_usage WHERE tenant_id = %s", desk.tenant_id)
    return row


async def waits(desk: Desk) -> Sequence[dict[str, Any]]:
    statement = """
        SELECT id, notification_id, not_before FROM deliveries
        WHERE tenant_id = %s AND state = 'pending' AND reason = 'frequency_cap' ORDER BY not_before, notification_id
    """
    return await rows(desk.database, statement, desk.tenant_id)


async def counted(desk: Desk) -> list[datetime]:
    statement = "SELECT counted_at FROM deliveries WHERE tenant_id = %s AND state = 'accepted' ORDER BY counted_at"
    return [row["counted_at"] for row in await rows(desk.database, statement, desk.tenant_id)]


async def later(desk: Desk, by: timedelta) -> None:
    """Let time pass: everything that was written happened `by` earlier."""
    await change(desk.database, EARLIER, by, desk.tenant_id)
    moved = "UPDATE deliveries SET not_before = not_before - %s, counted_at = counted_at - %s WHERE tenant_id = %s"
    await change(desk.database, moved, by, by, desk.tenant_id)


async def test_two_workers_and_two_hundred_at_once_never_exceed_a_cap(desk: Desk) -> None:
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 40, "day": 70}})
    many = await desk.accept(*[Draft(desk.tenant_id, life=LONG)] * 200, alone=200)
    first = await both_workers(desk, many)
    assert len(first) == 40
    places = [row["not_before"] for row in await waits(desk)]
    assert len(places) == 160
    assert places[0] == first[0] + WINDOW, "the first place that is free, at its very instant"
    await later(desk, WINDOW)
    sent = await both_workers(desk, many)
    assert len(sent) == 70, "the day is full before the second hour is"
    assert all(sum(at - WINDOW < one <= at for one in sent) <= 40 for at in sent)
    assert len((await usage(desk))["sent_at"]) == 70


async def test_a_pass_without_a_connection_loses_nothing_and_takes_no_place(desk: Desk) -> None:
    """With every connection taken, a pass that gives up has written a whole claim or nothing; the engine repeats it."""
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 40, "day": 500}})
    many = await desk.accept(*[Draft(desk.tenant_id, life=LONG)] * 60, alone=60)
    async with AsyncExitStack() as taken:
        for _ in range(POOL_SIZES[Role.APP]):
            await taken.enter_async_context(desk.database.tenant_transaction(desk.tenant_id))
        outcomes = await asyncio.gather(*map(desk.run, many), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert not await rows(desk.database, "SELECT 1 FROM contact_usage WHERE tenant_id = %s", desk.tenant_id)
    assert len(await both_workers(desk, many)) == 40
    assert len(await waits(desk)) == 20


async def both_workers(desk: Desk, many: Sequence[UUID]) -> list[datetime]:
    """Two workers that meet in the middle; a pass that finds no connection is repeated, as the engine does."""

    async def work(order: Iterable[UUID]) -> None:
        slots = asyncio.Semaphore(16)

        async def one_pass(one: UUID) -> None:
            async with slots:
                while True:
                    with suppress(Unavailable):
                        await desk.run(one)
                        return

        await asyncio.gather(*map(one_pass, order))

    await asyncio.gather(work(many), work(reversed(many)))
    return await counted(desk)


async def test_pages_that_share_their_people_never_wait_for_each_other_in_a_ring(desk: Desk) -> None:
    people = [f"user{number}" for number in range(40)]
    pages = []
    for order in (people, people[::-1]):
        ids = await desk.accept(*(Draft(desk.tenant_id, user_id, life=LONG) for user_id in order), alone=0)
        pages.append(ids[0])
    await asyncio.gather(*(desk.run(page) for page in pages * 2))
    assert len(await counted(desk)) == 80


async def test_a_page_gives_the_kth_place_to_the_kth(desk: Desk) -> None:
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 2, "day": 500}})
    first = [await desk.go(Draft(desk.tenant_id, life=LONG)) for _ in range(2)]
    page = await desk.accept(*[Draft(desk.tenant_id, life=LONG)] * 30)
    plan = await desk.run(page[0])
    places = [row["not_before"] for row in await waits(desk)]
    at = await counted(desk)
    assert len(first) == len(at)
    assert places[:6] == [
        at[0] + WINDOW,
        at[1] + WINDOW,
        at[0] + 2 * WINDOW,
        at[1] + 2 * WINDOW,
        at[0] + 3 * WINDOW,
        at[1] + 3 * WINDOW,
    ]
    assert [row["notification_id"] for row in await waits(desk)] == page
    assert plan.closed, "nothing is left to this carrier: they wait for the relay"
    [told] = await desk.told(page[0])
    assert (told["kind"], told["reason"]) == ("deferred_by_policy", "frequency_cap")
    assert (told["detail"]["limit"], told["detail"]["per"]) == (2, "hour")


async def test_a_higher_priority_overtakes_what_was_put_off(desk: Desk) -> None:
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 1, "day": 500}})
    await desk.go(Draft(desk.tenant_id, life=LONG))
    low = await desk.go(Draft(desk.tenant_id, priority=4, life=LONG))
    high = await desk.go(Draft(desk.tenant_id, priority=2, life=LONG))
    (low_at,), (high_at,) = [await deliveries(desk.database, one) for one in (low, high)]
    assert high_at["not_before"] == low_at["not_before"], "the first place that is free"
    await later(desk, WINDOW)
    await desk.run(low)  # awake first, and yet
    assert await desk.stands(low) == ("pending", "frequency_cap")
    await desk.run(high)
    assert await desk.stands(high) == ("accepted", "accepted")
    await later(desk, WINDOW)
    await desk.run(low)
    assert await desk.stands(low) == ("accepted", "accepted")


async def test_whoever_was_put_off_goes_before_who_comes_later(desk: Desk) -> None:
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 1, "day": 500}})
    await desk.go(Draft(desk.tenant_id, life=LONG))
    early = await desk.go(Draft(desk.tenant_id, life=LONG))
    await later(desk, WINDOW)
    late = await desk.go(Draft(desk.tenant_id, life=LONG))
    assert await desk.stands(late) == ("pending", "frequency_cap")
    await desk.run(early)
    assert await desk.stands(early) == ("accepted", "accepted")


async def test_many_more_than_there_are_places_go_in_their_order_whoever_wakes_first(desk: Desk) -> None:
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 1, "day": 2}})
    line = [await desk.go(Draft(desk.tenant_id, life=10 * DAY)) for _ in range(7)]
    went: list[UUID] = []
    for _ in line:
        await later(desk, (DAY + Timing().claim_lease) / 2)
        due = {row["notification_id"] for row in await waits(desk) if row["not_before"] <= await clock(desk.database)}
        for one in reversed([one for one in line if one in due]):
            await desk.run(one)
        went += [one for one in line if one not in went and (await desk.stands(one))[0] == "accepted"]
    assert went == line


async def clock(database: Database) -> datetime:
    at: datetime = (await rows(database, "SELECT clock_timestamp() AS now"))[0]["now"]
    return at


async def test_nobody_waits_for_one_that_was_cancelled(desk: Desk) -> None:
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 1, "day": 500}})
    await desk.go(Draft(desk.tenant_id, life=LONG))
    early = await desk.go(Draft(desk.tenant_id, life=LONG))
    await change(desk.database, "UPDATE deliveries SET state = 'cancelled' WHERE notification_id = %s", early)
    await later(desk, WINDOW)
    late = await desk.go(Draft(desk.tenant_id, life=LONG))
    assert await desk.stands(late) == ("accepted", "accepted")


async def test_classes_and_channels_are_counted_apart_and_security_is_not(desk: Desk) -> None:
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 1, "per_class": {"marketing": {"hour": 2}}}})
    ends = [
        await desk.stands(await desk.go(Draft(desk.tenant_id, message_class=one, life=LONG)))
        for one in ("transactional", "marketing", "marketing", "marketing", "transactional", "security", "security")
    ]
    assert [reason for _, reason in ends] == [*["accepted"] * 3, *["frequency_cap"] * 2, *["accepted"] * 2]


async def test_a_retry_keeps_its_place_and_is_counted_when_it_is_sent(desk: Desk) -> None:
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 1, "day": 500}})
    [one] = await desk.accept(Draft(desk.tenant_id, life=LONG))
    ledger = Ledger(desk.database, desk.timing, "t")
    await ledger.record(await desk.claim(one), WITHDRAWN)
    before = await usage(desk)
    await later(desk, timedelta(minutes=30))
    await desk.run(one)
    assert await desk.stands(one) == ("accepted", "accepted")
    after = await usage(desk)
    assert (len(after["sent_at"]), after["held_by"]) == (1, before["held_by"])
    [delivery] = await deliveries(desk.database, one)
    assert after["sent_at"] == [delivery["counted_at"]]
    assert delivery["counted_at"] > before["sent_at"][0]


@pytest.mark.parametrize("end", ["state = 'pending', token = NULL", "state = 'cancelled'", "state = 'rejected'"])
async def test_a_place_that_was_not_used_is_given_back(desk: Desk, end: str) -> None:
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 1, "day": 500}})
    [one] = await desk.accept(Draft(desk.tenant_id, life=LONG))
    await desk.claim(one)
    assert await desk.stands(await desk.go(Draft(desk.tenant_id, life=LONG))) == ("pending", "frequency_cap")
    await change(
        desk.database, f"UPDATE deliveries SET {end}, not_before = now() + '1 h' WHERE notification_id = %s", one
    )
    await change(
        desk.database, "DELETE FROM deliveries WHERE tenant_id = %s AND reason = 'frequency_cap'", desk.tenant_id
    )
    assert await desk.stands(await desk.go(Draft(desk.tenant_id, life=LONG))) == ("accepted", "accepted")


async def test_nobody_knows_whether_it_arrived_so_its_place_stays_taken(desk: Desk) -> None:
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 1, "day": 500}})
    [one] = await desk.accept(Draft(desk.tenant_id, life=LONG))
    await desk.claim(one)
    await change(desk.database, "UPDATE deliveries SET state = 'failed' WHERE notification_id = %s", one)
    await change(desk.database, "UPDATE notifications SET ambiguous = true WHERE id = %s", one)
    assert await desk.stands(await desk.go(Draft(desk.tenant_id, life=LONG))) == ("pending", "frequency_cap")


async def test_a_suppressed_message_takes_no_place(desk: Desk) -> None:
    listed = """
        INSERT INTO suppressions (tenant_id, channel, address_hash, reason)
        SELECT tenant_id, channel, address_hash, 'complaint' FROM deliveries WHERE notification_id = %s
    """
    await change(desk.database, listed, await desk.go(Draft(desk.tenant_id, life=LONG)))
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 1, "day": 500}})
    assert await desk.stands(await desk.go(Draft(desk.tenant_id, life=LONG))) == ("skipped", "suppressed")
    assert len((await usage(desk))["sent_at"]) == 1


async def test_a_workers_own_clock_does_not_matter(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await choose(desk.database, desk.tenant_id, {"caps": {"hour": 1, "day": 500}})
    [first, second] = [await desk.accept(Draft(desk.tenant_id, life=LONG)) for _ in range(2)]
    await desk.run(first[0])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 7200)
    await desk.run(second[0])
    assert await desk.stands(second[0]) == ("pending", "frequency_cap")
    assert (await waits(desk))[0]["not_before"] == (await counted(desk))[0] + WINDOW
