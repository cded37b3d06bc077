"""All processes together stay within a provider's limits, whatever becomes of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from psycopg.errors import ForeignKeyViolation

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database, Role, open_database
from postroom.limits.allowance import Allowance, Full, Meter, Turn, Window
from postroom.limits.block import Token
from postroom.limits.limiter import Limiter
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.rows import rows

TIMING = Timing()
AT_ONCE = Turn()
PATIENT = Turn(patience=60.0)
USED = "SELECT used FROM provider_usage WHERE provider = %s AND kind = %s"


@pytest.fixture
def meter() -> Meter:
    return Meter(ChannelKind.EMAIL, f"relay-{uuid4().hex}")


@asynccontextmanager
async def process(database_url: str, timing: Timing = TIMING) -> AsyncIterator[Limiter]:
    """A limiter on a pool of its own, as another process would have it."""
    async with open_database(database_url, {Role.APP: 1, Role.LEDGER: 2}) as database:
        limiter = Limiter(database, timing)
        yield limiter
        await limiter.close()


async def asked(limiter: Limiter, meter: Meter, allowance: Allowance, count: int) -> list[Token | Full]:
    return list(await asyncio.gather(*(limiter.ask(meter, allowance, AT_ONCE) for _ in range(count))))


def granted(answers: Sequence[Token | Full]) -> list[Token]:
    return [answer for answer in answers if isinstance(answer, Token)]


async def used(database: Database, meter: Meter, window: Window) -> int:
    [row] = await rows(database, USED, meter.provider, window)
    return int(row["used"])


async def away_from_the_end(database: Database, window: str, seconds: float) -> None:
    """Begin where the window of the database's clock lasts for some seconds more."""
    statement = "SELECT extract(epoch FROM date_trunc(%s, now()) + %s - now())::float AS lasts"
    length = {"minute": timedelta(minutes=1), "second": timedelta(seconds=1)}[window]
    [row] = await rows(database, statement, window, length)
    if row["lasts"] < seconds:
        await asyncio.sleep(row["lasts"] + 0.01)


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


async def test_what_is_not_used_goes_back_at_the_end(database: Database, database_url: str, meter: Meter) -> None:
    allowance = Allowance(per_day=1000)
    async with process(database_url) as limiter:
        assert len(granted(await asked(limiter, meter, allowance, 40))) == 40
        assert isinstance(await limiter.ask(meter, allowance, AT_ONCE), Token)
        assert await used(database, meter, Window.DAY) > 41, "a block grows while it is used up"
    assert await used(database, meter, Window.DAY) == 41


async def test_what_is_not_used_goes_back_while_the_process_lives(
    database: Database, database_url: str, meter: Meter
) -> None:
    allowance = Allowance(per_day=1000)
    async with process(database_url, replace(TIMING, limit_hold=timedelta(seconds=0.1))) as limiter:
        await asked(limiter, meter, allowance, 40)
        await limiter.ask(meter, allowance, AT_ONCE)
        await asyncio.sleep(0.4)
        assert await used(database, meter, Window.DAY) == 41


async def test_a_process_that_dies_wastes_what_it_held_and_no_more(
    database: Database, database_url: str, meter: Meter
) -> None:
    allowance = Allowance(per_day=100)
    async with process(database_url) as survivor, process(database_url) as dying:
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
        await asyncio.sleep(0.4)
        assert len(granted(await asked(other, meter, allowance, 12))) == 10


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


async def test_a_new_window_has_new_room(database: Database, database_url: str, meter: Meter) -> None:
    allowance = Allowance(per_minute=3)
    await away_from_the_end(database, "minute", 5)
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
    await away_from_the_end(database, "minute", 5)
    async with process(database_url) as limiter:
        answers = await asked(limiter, meter, Allowance(per_minute=7, per_day=5), 20)
    assert len(granted(answers)) == 5
    assert {answer.window for answer in answers if isinstance(answer, Full)} == {Window.DAY}
    assert await used(database, meter, Window.MINUTE) == 5


async def test_no_second_is_overdrawn(database_url: str, meter: Meter) -> None:
    allowance = Allowance(per_second=20)
    seconds: Counter[datetime] = Counter()

    async def one(limiter: Limiter) -> None:
        token = await limiter.ask(meter, allowance, PATIENT)
        assert isinstance(token, Token)
        seconds[token.starts[Window.SECOND]] += 1

    async with process(database_url) as first, process(database_url) as second:
        await asyncio.gather(*(one(limiter) for limiter in (first, second) for _ in range(30)))
    assert sum(seconds.values()) == 60
    assert max(seconds.values()) <= 20


async def test_the_urgent_go_first(database_url: str, meter: Meter) -> None:
    allowance = Allowance(per_second=10)
    served: list[int] = []

    async def one(limiter: Limiter, urgency: int) -> None:
        await limiter.ask(meter, allowance, replace(PATIENT, urgency=urgency))
        served.append(urgency)

    async with process(database_url) as limiter:
        waiting = [asyncio.create_task(one(limiter, 4)) for _ in range(8)]
        await asyncio.sleep(0.05)
        await asyncio.gather(*waiting, *(one(limiter, 1) for _ in range(3)))
    assert served.index(1) <= 2
    assert served[-5:] == [4] * 5


async def test_who_has_no_patience_is_told_at_once_and_the_patient_are_served(
    database: Database, database_url: str, meter: Meter
) -> None:
    allowance = Allowance(per_second=2)
    async with process(database_url) as limiter:
        answers = await asyncio.gather(
            *(limiter.ask(meter, allowance, Turn(patience=2.0)) for _ in range(4)),
            *(limiter.ask(meter, allowance, AT_ONCE) for _ in range(50)),
        )
    assert len(granted(answers[:4])) == 4
    assert len(granted(answers[4:])) <= 4
    assert await used(database, meter, Window.SECOND) <= 2


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


async def test_a_token_for_somebody_who_gave_up_goes_back(database: Database, database_url: str, meter: Meter) -> None:
    allowance, kept = Allowance(per_day=1000), 40
    async with process(database_url) as limiter:
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
    async with process(database_url, replace(TIMING, limit_hold=timedelta(seconds=5))) as limiter:
        wasted = await limiter.ask(idle, Allowance(per_day=1), AT_ONCE)
        await asked(limiter, meter, Allowance(per_day=100), 5)
        await limiter.ask(meter, Allowance(per_day=100), AT_ONCE)
        await limiter.ask(third, Allowance(per_day=1), AT_ONCE)
        assert set(limiter._lines) == {meter, third}  # noqa: SLF001 - what is kept
        assert isinstance(wasted, Token)
        limiter.give_back(idle, wasted)
        assert isinstance(await limiter.ask(idle, Allowance(per_day=1), AT_ONCE), Full)
    assert await used(database, meter, Window.DAY) == 6
