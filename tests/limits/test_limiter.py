"""All processes together stay within a provider's limits, whatever becomes of them."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from psycopg.errors import ForeignKeyViolation

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database, Role, open_database
from postroom.limits.allowance import Allowance, Full, Meter, Window
from tests.fixtures.database import Tenants
from tests.fixtures.rows import rows
from tests.limits.processes import AT_ONCE, TIMING, asked, away_from_the_end, granted, process, used


async def test_two_processes_share_one_limit_exactly(database: Database, database_url: str, meter: Meter) -> None:
    allowance = Allowance(per_day=300)
    async with process(database_url) as one, process(database_url) as other:
        answers = await asyncio.gather(asked(one, meter, allowance, 500), asked(other, meter, allowance, 500))
        shares = [len(granted(one)) for one in answers]
        assert sum(shares) == 300
        assert min(shares) > 0
        refused = [answer for one in answers for answer in one if isinstance(answer, Full)]
        assert len(refused) == 700
        assert {one.window for one in refused} == {Window.DAY}
    assert await used(database, meter, Window.DAY) == 300


async def test_the_wait_is_until_midnight_of_utc_and_logged_once(
    database: Database, database_url: str, meter: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    async with process(database_url, replace(TIMING, limit_hold=timedelta(0))) as limiter:
        await limiter.ask(meter, Allowance(per_day=1), AT_ONCE)
        for _ in range(3):
            full = await limiter.ask(meter, Allowance(per_day=1), AT_ONCE)
    told = f"{meter.provider} is at its daily limit; what waits is put off to the next day"
    assert [record.message for record in caplog.records] == [told]
    assert isinstance(full, Full)
    [row] = await rows(database, "SELECT date_trunc('day', now(), 'UTC') + interval '24 hours' - now() AS left_over")
    assert abs(full.wait - row["left_over"]) < timedelta(seconds=5)


async def test_a_new_window_has_new_room(database: Database, database_url: str, meter: Meter) -> None:
    allowance = Allowance(per_minute=3)
    await away_from_the_end(database, "minute", 10)
    async with process(database_url) as limiter:
        assert len(granted(await asked(limiter, meter, allowance, 9))) == 3
    await begin_earlier(database_url, meter, timedelta(minutes=1))
    async with process(database_url) as limiter:
        assert len(granted(await asked(limiter, meter, allowance, 9))) == 3


async def test_a_clock_that_was_ahead_opens_no_window_twice(
    database: Database, database_url: str, meter: Meter
) -> None:
    allowance = Allowance(per_minute=3)
    async with process(database_url) as limiter:
        await asked(limiter, meter, allowance, 3)
    await begin_earlier(database_url, meter, timedelta(minutes=-5))
    async with process(database_url) as limiter:
        answers = await asked(limiter, meter, allowance, 4)
    assert len(granted(answers)) == 0
    [wait] = {round(answer.wait.total_seconds() / 60) for answer in answers if isinstance(answer, Full)}
    assert wait >= 5


async def test_the_strictest_limit_decides(database: Database, database_url: str, meter: Meter) -> None:
    await away_from_the_end(database, "minute", 10)
    async with process(database_url) as limiter:
        answers = await asked(limiter, meter, Allowance(per_minute=7, per_day=5), 20)
    assert len(granted(answers)) == 5
    assert {answer.window for answer in answers if isinstance(answer, Full)} == {Window.DAY}
    assert await used(database, meter, Window.MINUTE) == 5


async def test_a_lower_limit_holds_at_once(database_url: str, meter: Meter) -> None:
    async with process(database_url) as limiter:
        await asked(limiter, meter, Allowance(per_day=5), 5)
        assert isinstance(await limiter.ask(meter, Allowance(per_day=3), AT_ONCE), Full)


async def test_each_tenants_own_provider_has_its_own_count(
    database: Database, database_url: str, tenants: Tenants
) -> None:
    allowance = Allowance(per_day=2)
    async with process(database_url) as limiter:
        for tenant in (tenants.alice, tenants.decoy):
            meter = Meter(ChannelKind.EMAIL, "own/main", tenant.id)
            assert len(granted(await asked(limiter, meter, allowance, 3))) == 2
    async with database.tenant_transaction(tenants.alice.id) as connection:
        seen = await (await connection.execute("SELECT tenant_id FROM provider_usage")).fetchall()
    assert [row["tenant_id"] for row in seen] == [tenants.alice.id]


async def test_who_cannot_be_counted_is_not_let_through(database_url: str) -> None:
    nobody = Meter(ChannelKind.EMAIL, "own/main", UUID(int=1))
    async with process(database_url) as limiter:
        with pytest.raises(ForeignKeyViolation):
            await limiter.ask(nobody, Allowance(per_day=2), AT_ONCE)


async def begin_earlier(database_url: str, meter: Meter, by: timedelta) -> None:
    """Move the windows of a provider into the past, as if time had gone by."""
    sizes = {Role.APP: 1, Role.LEDGER: 1}
    async with open_database(database_url, sizes) as database, database.statement(Role.LEDGER) as connection:
        await connection.execute(
            "UPDATE provider_usage SET window_start = window_start - %s WHERE provider = %s", (by, meter.provider)
        )


async def test_a_limit_that_is_added_counts_from_then_on(database: Database, database_url: str, meter: Meter) -> None:
    async with process(database_url) as limiter:
        assert len(granted(await asked(limiter, meter, Allowance(per_minute=1000), 5))) == 5
        answers = await asked(limiter, meter, Allowance(per_minute=1000, per_day=3), 20)
        assert len(granted(answers)) <= 3
    assert await used(database, meter, Window.DAY) <= 3
