"""A task from launched to accounted for, through real SMTP, without an engine."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from postroom.database.engine import Database
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.rows import rows
from tests.fixtures.sink import Sink
from tests.fixtures.tasks import Mailroom, Sale, by_state, exact, launched, open_mailroom, people, recipients, task_row

TIMING = Timing()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink.open() as opened:
        yield opened


@pytest.fixture
async def mailroom(database: Database, sink: Sink) -> AsyncIterator[Mailroom]:
    async with open_mailroom(database, sink, TIMING) as opened:
        yield opened


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
    pages = await rows(database, "SELECT number, first_seq, last_seq, next_at FROM task_pages WHERE task_id = %s", task)
    assert [(one["first_seq"], one["last_seq"]) for one in pages] == [(1, 50), (51, 100), (101, 120)]
    assert "News for User 7" in next(
        one.raw.decode() for one in sink.letters if one.recipients == ("user7@example.org",)
    )
    assert [row["seq"] for row in await recipients(database, task)] == list(range(1, 121))
    assert await by_state(database, task) == {"accepted": 120}
