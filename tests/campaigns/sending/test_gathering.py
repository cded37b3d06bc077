"""Those who are put off each at their own instant go again together: a page is passed over once for all of them."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from postroom.campaigns.sending.orders import order
from postroom.campaigns.sending.settling import settle_page
from postroom.database.engine import Database
from tests.campaigns.conftest import FAST
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change, rows
from tests.fixtures.sink import Behaviour, Sink
from tests.fixtures.tasks import PAGE, Mailroom, Sale, by_state, launched, people, recipients

DEFERRED = """
UPDATE deliveries SET state = 'deferred', attempt = 1, not_before = now() + interval '1 minute' + seq * %s::interval
WHERE task_id = %s
"""
UNKNOWN = "UPDATE deliveries SET state = 'unknown', attempt = 1 WHERE task_id = %s AND seq > 1"
OVER_SOON = "UPDATE deliveries SET expires_at = not_before + %s WHERE task_id = %s AND seq = 3"
DUE = "UPDATE deliveries SET not_before = now() - interval '1 s' WHERE task_id = %s AND seq = 2"


async def times(mailroom: Mailroom, tenant_id: UUID, task: UUID) -> tuple[datetime, datetime]:
    """Settle the first page; returns when it is looked at again, also when nothing may leave."""
    async with mailroom.database.tenant_transaction(tenant_id) as connection:
        page = await order(connection, task, 1)
        assert page is not None
        await settle_page(connection, page, FAST.page_gather)
    [row] = await rows(mailroom.database, "SELECT * FROM task_pages WHERE task_id = %s", task)
    return row["next_at"], row["asks_at"]


@pytest.fixture
async def task(database: Database, tenants: Tenants, mailroom: Mailroom) -> UUID:
    """One page, frozen."""
    await people(database, tenants.alice.id, PAGE)
    made = await launched(database, Sale(tenants.alice.id))
    await mailroom.step(tenants.alice.id, made)
    return made


@pytest.mark.parametrize(("apart", "last"), [(timedelta(milliseconds=50), PAGE), (timedelta(seconds=2), 3)])
async def test_the_last_of_those_who_lie_close_together_counts(  # noqa: PLR0913 - fixtures and what varies
    tenants: Tenants, mailroom: Mailroom, task: UUID, apart: timedelta, last: int
) -> None:
    database = mailroom.database
    await change(database, DEFERRED, apart, task)
    found = [one["not_before"] for one in await recipients(database, task)]
    next_at, asks_at = await times(mailroom, tenants.alice.id, task)
    assert next_at == found[last - 1]
    assert asks_at > next_at + timedelta(days=2)
    await change(database, UNKNOWN, task)
    _, asks_at = await times(mailroom, tenants.alice.id, task)
    assert asks_at == found[min(last + 1, PAGE) - 1]


async def test_nobody_is_over_before_the_others_come(
    database: Database, tenants: Tenants, mailroom: Mailroom, task: UUID
) -> None:
    await change(database, DEFERRED, timedelta(milliseconds=50), task)
    await change(database, OVER_SOON, timedelta(seconds=1), task)
    first = (await recipients(database, task))[0]["not_before"]
    assert (await times(mailroom, tenants.alice.id, task))[0] == first


async def test_who_is_due_waits_for_nobody(
    database: Database, tenants: Tenants, mailroom: Mailroom, task: UUID
) -> None:
    await change(database, DEFERRED, timedelta(milliseconds=50), task)
    await change(database, DUE, task)
    second = (await recipients(database, task))[1]["not_before"]
    assert (await times(mailroom, tenants.alice.id, task))[0] == second


async def test_a_burst_of_refusals_costs_one_more_pass(
    tenants: Tenants, mailroom: Mailroom, sink: Sink, task: UUID
) -> None:
    database = mailroom.database
    sink.behave("user", Behaviour.refuse("rcpt", "450 4.2.1 Later").at_random(0.3, 7))
    plan = await mailroom.run(tenants.alice.id, task)
    states = await by_state(database, task)
    assert set(states) == {"accepted", "deferred"}
    assert plan.wait is not None
    [row] = await rows(database, "SELECT next_at FROM task_pages WHERE task_id = %s", task)
    put_off = [one["not_before"] for one in await recipients(database, task) if one["state"] == "deferred"]
    at_once = [one for one in put_off if one <= row["next_at"]]
    assert row["next_at"] == max(at_once)
    assert max(at_once) - min(put_off) <= FAST.page_gather
    assert all(one > min(put_off) + FAST.page_gather for one in put_off if one > row["next_at"])
