"""A limit makes mail wait or go to the next provider, and is no failure; what was not sent is not counted."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from postroom.channels.base import Pace, Verdict
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions
from postroom.contracts.vocabulary import Priority
from postroom.database.engine import Database
from postroom.identity import new_id
from postroom.limits.allowance import Allowance
from postroom.limits.limiter import Limiter
from tests.channels.email.conftest import DOMAIN, SHORT, Marker, Net, new_parcel, provider_at
from tests.channels.email.scripted import BUSY, Act, Move, Scripted
from tests.fixtures.rows import rows
from tests.fixtures.waiting import until


@pytest.fixture
def limiter(database: Database) -> Limiter:
    return Limiter(database, SHORT)


def limited(net: Net, limiter: Limiter, *servers: tuple[Scripted, Allowance]) -> EmailChannel:
    """A channel over servers with limits, under names of their own."""
    providers = [provider_at(one.port, name=f"relay-{new_id()}", allowance=allowance) for one, allowance in servers]

    async def providers_of(_: UUID) -> list[Provider]:
        return providers

    return net.keep(EmailChannel(providers_of, SHORT, EmailOptions(DOMAIN, 4), limiter))


async def test_past_the_daily_limit_the_answer_says_until_when(net: Net, limiter: Limiter) -> None:
    server = await net.serve()
    channel, mark = limited(net, limiter, (server, Allowance(per_day=3))), Marker()

    answers = await asyncio.gather(*(channel.hand_off(new_parcel(n), mark) for n in range(5)))

    assert (len(server.received), len(mark.asked)) == (3, 3)
    [reason] = {answer.reason for answer in answers if answer.verdict is Verdict.UNAVAILABLE}
    assert reason == "provider_daily_limit"
    [refused, _] = [answer for answer in answers if answer.verdict is Verdict.UNAVAILABLE]
    assert refused.retry_after is not None
    assert refused.retry_after <= timedelta(days=1)
    assert refused.pace == Pace(3, timedelta(days=1))
    assert (await channel.hand_off(new_parcel(9), mark)).retry_after != timedelta(0)
    await limiter.close()


async def test_a_limit_is_no_failure_of_the_provider(net: Net, limiter: Limiter) -> None:
    server = await net.serve()
    channel = limited(net, limiter, (server, Allowance(per_day=1)))
    for number in range(3):
        await channel.hand_off(new_parcel(number), Marker())
    [route] = channel._routes.values()  # noqa: SLF001 - what the next message meets
    assert route.breaker.wait == 0
    await limiter.close()


async def test_a_short_wait_is_waited_for(net: Net, limiter: Limiter) -> None:
    server = await net.serve()
    channel = limited(net, limiter, (server, Allowance(per_second=4)))

    answers = await asyncio.gather(*(channel.hand_off(new_parcel(n), Marker()) for n in range(8)))

    assert {answer.verdict for answer in answers} == {Verdict.ACCEPTED}
    await limiter.close()


async def test_with_one_away_and_one_full_the_limit_is_told_and_the_shorter_wait(net: Net, limiter: Limiter) -> None:
    away, full = await net.serve(script={"BANNER": [BUSY] * 9}), await net.serve()
    channel = limited(net, limiter, (away, Allowance()), (full, Allowance(per_day=1)))

    answers = [await channel.hand_off(new_parcel(n), Marker()) for n in range(3)]

    assert [answer.reason for answer in answers] == ["accepted", "provider_daily_limit", "provider_daily_limit"]
    wait = answers[-1].retry_after
    assert wait is not None
    assert wait <= SHORT.outage_first
    await limiter.close()


async def test_the_next_provider_with_room_takes_it(net: Net, limiter: Limiter) -> None:
    first, second = await net.serve(), await net.serve()
    channel = limited(net, limiter, (first, Allowance(per_day=2)), (second, Allowance(per_day=3)))

    answers = [await channel.hand_off(new_parcel(n), Marker()) for n in range(7)]

    assert (len(first.received), len(second.received)) == (2, 3)
    assert [answer.verdict for answer in answers[5:]] == [Verdict.UNAVAILABLE] * 2
    await limiter.close()


@pytest.mark.parametrize("reply", [BUSY, b"554 5.3.0 no\r\n"])
async def test_what_was_not_sent_is_not_counted(net: Net, limiter: Limiter, database: Database, reply: bytes) -> None:
    server = await net.serve(script={"BANNER": [reply]})
    channel = limited(net, limiter, (server, Allowance(per_day=10)))

    assert (await channel.hand_off(new_parcel(), Marker())).verdict is Verdict.UNAVAILABLE
    await asyncio.sleep(SHORT.outage_first.total_seconds() + 0.05)
    assert (await channel.hand_off(new_parcel(), Marker(verdict=False))).verdict is Verdict.WITHDRAWN
    assert (await channel.hand_off(new_parcel(), Marker())).verdict is Verdict.ACCEPTED

    await limiter.close()
    [provider] = channel._routes  # noqa: SLF001 - its name
    statement = "SELECT used FROM provider_usage WHERE provider = %s"
    assert [row["used"] for row in await rows(database, statement, provider.name)] == [1]


async def called(server: Scripted) -> bool:
    return server.connections > 0


@pytest.mark.parametrize("script", [{"BANNER": [Act.HANG]}, {"MAIL": [Act.HANG]}], ids=str)
async def test_who_gives_up_before_the_body_leaves_room_to_the_next(
    net: Net, limiter: Limiter, script: dict[str, list[Move]]
) -> None:
    server = await net.serve(script=script)
    channel = limited(net, limiter, (server, Allowance(per_day=1)))
    gone = asyncio.create_task(channel.hand_off(new_parcel(1), Marker()))
    await until(lambda: called(server), 30)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)

    assert (await channel.hand_off(new_parcel(2), Marker())).verdict is Verdict.ACCEPTED
    await limiter.close()


async def test_the_urgent_do_not_wait_behind_the_rest(net: Net, limiter: Limiter) -> None:
    server = await net.serve()
    channel = limited(net, limiter, (server, Allowance(per_second=5)))
    order: list[Priority] = []

    async def one(number: int, priority: Priority) -> None:
        await channel.hand_off(replace(new_parcel(number), priority=priority), Marker())
        order.append(priority)

    low = [asyncio.create_task(one(n, Priority.LOW)) for n in range(8)]
    await asyncio.sleep(0.1)
    await one(99, Priority.CRITICAL)
    assert len(order) <= 3
    await asyncio.gather(*low)
    await limiter.close()
