"""What was taken and not used goes back, once, to where it counts; only a process that dies wastes what it held."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.database.engine import Database
from postroom.limits.allowance import Allowance, Full, Meter, Window
from postroom.limits.block import Token
from postroom.limits.limiter import Limiter
from tests.fixtures.waiting import until
from tests.limits.processes import AT_ONCE, HELD, TIMING, asked, granted, process, used


async def test_what_is_not_used_goes_back_at_the_end(database: Database, database_url: str, meter: Meter) -> None:
    allowance = Allowance(per_day=1000)
    async with process(database_url, HELD) as limiter:
        assert len(granted(await asked(limiter, meter, allowance, 40))) == 40
        assert isinstance(await limiter.ask(meter, allowance, AT_ONCE), Token)
        assert await used(database, meter, Window.DAY) > 41, "a block grows while it is used up"
    assert await used(database, meter, Window.DAY) == 41


async def counted(database: Database, meter: Meter, count: int) -> bool:
    return await used(database, meter, Window.DAY) == count


async def test_what_is_not_used_goes_back_while_the_process_lives(
    database: Database, database_url: str, meter: Meter
) -> None:
    allowance = Allowance(per_day=1000)
    async with process(database_url, replace(TIMING, limit_hold=timedelta(seconds=0.1))) as limiter:
        await asked(limiter, meter, allowance, 40)
        await limiter.ask(meter, allowance, AT_ONCE)
        await until(lambda: counted(database, meter, 41), 20)


async def test_a_process_that_dies_wastes_what_it_held_and_no_more(
    database: Database, database_url: str, meter: Meter
) -> None:
    allowance = Allowance(per_day=100)
    async with process(database_url) as survivor, process(database_url, HELD) as dying:
        before = len(granted(await asked(dying, meter, allowance, 10)))
        before += len(granted([await dying.ask(meter, allowance, AT_ONCE)]))
        held = await used(database, meter, Window.DAY)
        after = granted(await asked(survivor, meter, allowance, 200))  # what the other one holds is lost to it
    assert before == 11
    assert held > before
    assert len(after) == 100 - held


async def test_a_token_that_was_not_needed_serves_the_next(database: Database, database_url: str, meter: Meter) -> None:
    allowance = Allowance(per_day=1)
    async with process(database_url) as limiter:
        token = await limiter.ask(meter, allowance, AT_ONCE)
        assert isinstance(token, Token)
        limiter.give_back(meter, token)
        assert isinstance(await limiter.ask(meter, allowance, AT_ONCE), Token)
        assert isinstance(await limiter.ask(meter, allowance, AT_ONCE), Full)
    assert await used(database, meter, Window.DAY) == 1


async def test_what_another_process_gives_back_is_found(database_url: str, meter: Meter) -> None:
    allowance, quick = Allowance(per_day=10), replace(TIMING, limit_hold=timedelta(seconds=0.1))
    async with process(database_url, quick) as one, process(database_url, quick) as other:
        tokens = granted(await asked(one, meter, allowance, 10))
        assert isinstance(await other.ask(meter, allowance, AT_ONCE), Full)
        for token in tokens:
            one.give_back(meter, token)
        found: list[Token] = []

        async def all_found() -> bool:
            found.extend(granted(await asked(other, meter, allowance, 12)))
            return len(found) >= 10

        await until(all_found, 20)
        assert len(found) == 10


async def test_nothing_that_is_given_back_is_lost(database: Database, database_url: str, meter: Meter) -> None:
    allowance, kept = Allowance(per_day=400), 0

    async def one(limiter: Limiter, number: int) -> int:
        token = await limiter.ask(meter, allowance, AT_ONCE)
        await asyncio.sleep(number % 7 / 100)
        if isinstance(token, Token) and number % 3 == 0:
            limiter.give_back(meter, token)
            return 0
        return int(isinstance(token, Token))

    async with process(database_url) as first, process(database_url) as second:
        for _ in range(5):
            kept += sum(await asyncio.gather(*(one(each, n) for n in range(60) for each in (first, second))))
    assert 0 < kept <= 400
    assert await used(database, meter, Window.DAY) == kept


async def test_a_token_of_a_window_that_is_over_gives_no_room_in_the_next(
    database: Database, database_url: str, meter: Meter
) -> None:
    async with process(database_url) as limiter:
        token = await limiter.ask(meter, Allowance(per_day=5), AT_ONCE)
        assert isinstance(token, Token)
        yesterday = {window: start - timedelta(days=1) for window, start in token.starts.items()}
        limiter.give_back(meter, Token(yesterday))
    assert await used(database, meter, Window.DAY) == 1


async def test_a_token_for_somebody_who_gave_up_goes_back(database: Database, database_url: str, meter: Meter) -> None:
    allowance, kept = Allowance(per_day=1000), 40
    async with process(database_url, HELD) as limiter:
        await asked(limiter, meter, allowance, kept)
        kept += len(granted(await asked(limiter, meter, allowance, 1)))  # and a block is in hand now
        for ticks in range(20):
            one = asyncio.create_task(limiter.ask(meter, allowance, AT_ONCE))
            for _ in range(ticks):
                await asyncio.sleep(0)
            one.cancel()
            [end] = await asyncio.gather(one, return_exceptions=True)
            kept += isinstance(end, Token)
    assert 41 < kept < 61
    assert await used(database, meter, Window.DAY) == kept


async def test_idle_lines_are_forgotten_and_others_are_not(
    database: Database, database_url: str, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom.limits.limiter.REMEMBERED", 2)
    idle, third = replace(meter, provider=f"{meter.provider}-idle"), replace(meter, provider=f"{meter.provider}-third")
    async with process(database_url, HELD) as limiter:
        wasted = await limiter.ask(idle, Allowance(per_day=1), AT_ONCE)
        await asked(limiter, meter, Allowance(per_day=100), 5)
        await limiter.ask(meter, Allowance(per_day=100), AT_ONCE)
        await limiter.ask(third, Allowance(per_day=1), AT_ONCE)
        assert set(limiter._lines) == {meter, third}  # noqa: SLF001 - what is kept
        assert isinstance(wasted, Token)
        limiter.give_back(idle, wasted)
        assert isinstance(await limiter.ask(idle, Allowance(per_day=1), AT_ONCE), Full)
    assert await used(database, meter, Window.DAY) == 6
