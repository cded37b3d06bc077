"""The retry plan of a message, kept, and broken into: cancel, reschedule, send now, the end of its time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from postroom.errors import Conflict
from tests.faults.office import FAST, Office

NOT_YET = "tempfail-rcpt"


async def test_four_attempts_at_the_plans_times_and_then_never_again(office: Office) -> None:
    one = await office.send(await office.tenant(), NOT_YET)
    row = await office.ended(one)
    assert (row["state"], row["reason"]) == ("failed", "retries_exhausted")
    attempts = await office.attempts(one)
    assert [attempt["event"] for attempt in attempts] == ["deferred", "deferred", "deferred", "rejected"]
    times = [attempt["at"] for attempt in attempts]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert all(wait >= planned for wait, planned in zip(waits, FAST.retry_plan, strict=True))


async def test_a_failed_one_can_be_retried_and_starts_a_new_plan(office: Office) -> None:
    tenant = await office.tenant()
    one = await office.send(tenant, "tempfail-rcpt-4times")
    assert (await office.ended(one))["reason"] == "retries_exhausted"
    assert await office.control.retry(tenant.id, one) == "open"
    row = await office.ended(one)
    assert (row["state"], row["reason"]) == ("sent", "accepted")
    assert (await office.delivery(one))["attempt"] == 5
    assert len(await office.copies(one)) == 1


async def test_cancelled_while_it_waits(office: Office) -> None:
    tenant = await office.tenant()
    one = await office.send(tenant, NOT_YET)
    await office.delivery_is(one, "deferred")
    assert await office.control.cancel(tenant.id, one) == "cancelled"
    row = await office.ended(one)
    assert (row["state"], row["reason"]) == ("cancelled", "cancelled")
    assert len(await office.attempts(one)) == 1
    with pytest.raises(Conflict):
        await office.control.cancel(tenant.id, one)


async def test_sent_now_while_it_waits(office: Office) -> None:
    tenant = await office.tenant()
    one = await office.send(tenant, f"{NOT_YET}-once")
    waiting = await office.delivery_is(one, "deferred")
    assert await office.control.send_now(tenant.id, one) == "due"
    row = await office.ended(one)
    assert row["state"] == "sent"
    assert row["ended_at"] < waiting["not_before"]


async def test_rescheduled_while_it_waits(office: Office) -> None:
    tenant = await office.tenant()
    one = await office.send(tenant, f"{NOT_YET}-once")
    waiting = await office.delivery_is(one, "deferred")
    later = waiting["not_before"] + timedelta(seconds=1)
    assert await office.control.reschedule(tenant.id, one, later) == "rescheduled"
    row = await office.ended(one)
    assert row["state"] == "sent"
    assert row["ended_at"] >= later


async def test_rescheduled_to_an_earlier_time_while_it_waits(office: Office) -> None:
    tenant = await office.tenant()
    one = await office.send(tenant, f"{NOT_YET}-once")
    waiting = await office.delivery_is(one, "deferred")
    assert await office.control.reschedule(tenant.id, one, datetime.now(UTC)) == "rescheduled"
    assert (await office.ended(one))["ended_at"] < waiting["not_before"]


async def test_its_time_ends_while_it_waits(office: Office) -> None:
    one = await office.send(await office.tenant(), NOT_YET, life=timedelta(seconds=1))
    row = await office.ended(one)
    assert (row["state"], row["reason"]) == ("expired", "expired")
    assert row["ended_at"] >= row["expires_at"]
    assert len(await office.attempts(one)) == 1
    assert await office.copies(one) == []
