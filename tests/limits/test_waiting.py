"""Whoever waits for the next second is served in the order of urgency, and no second is overdrawn."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime

from postroom.database.engine import Database
from postroom.limits.allowance import Allowance, Meter, Turn, Window
from postroom.limits.block import Token
from postroom.limits.limiter import Limiter
from tests.limits.processes import AT_ONCE, granted, process, used

PATIENT = Turn(patience=60.0)


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
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        urgent = [asyncio.create_task(one(limiter, 1)) for _ in range(3)]
        await asyncio.sleep(0)  # now they are in line
        before = len(served)
        await asyncio.gather(*waiting, *urgent)
    assert before < 8
    assert served[before : before + 4].count(1) == 3, "one more may have been on its way"


async def test_who_has_no_patience_is_told_at_once_and_the_patient_are_served(
    database: Database, database_url: str, meter: Meter
) -> None:
    allowance = Allowance(per_second=2)
    async with process(database_url) as limiter:
        answers = await asyncio.gather(
            *(limiter.ask(meter, allowance, PATIENT) for _ in range(4)),
            *(limiter.ask(meter, allowance, AT_ONCE) for _ in range(50)),
        )
    assert len(granted(answers[:4])) == 4
    assert len(granted(answers[4:])) <= 4
    assert await used(database, meter, Window.SECOND) <= 2
