"""What one provider cannot take now the next one takes, while nothing was marked; limits defer and are no failure."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from postroom.channels.base import Pace, Parcel, Verdict
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions
from postroom.contracts.vocabulary import Priority
from postroom.database.engine import Database
from postroom.identity import new_id
from postroom.limits.allowance import Allowance
from postroom.limits.limiter import Limiter
from tests.channels.email.conftest import DOMAIN, SHORT, Marker, Net, new_parcel, provider_at
from tests.channels.email.scripted import Act, Move, Scripted
from tests.fixtures.rows import rows
from tests.fixtures.waiting import until

BUSY = b"421 4.3.2 busy\r\n"


def name_of(server: Scripted) -> str:
    return f"127.0.0.1:{server.port}"


async def test_weights_share_the_mail(net: Net) -> None:
    servers = [await net.serve() for _ in range(3)]
    channel = net.channel(*(provider_at(server.port, weight=n) for n, server in enumerate(servers, start=1)))

    answers = [await channel.hand_off(new_parcel(n), Marker()) for n in range(12)]

    assert Counter(answer.provider for answer in answers) == {name_of(one): 2 * n for n, one in enumerate(servers, 1)}


@pytest.mark.parametrize(
    "script",
    [
        {"BANNER": [BUSY]},
        {"AUTH": [b"535 5.7.8 wrong\r\n"]},
        {"AUTH": [b"454 4.7.0 later\r\n"]},
        {"MAIL": [BUSY]},
        {"RCPT": [BUSY]},
        {"MAIL": [Act.DROP]},
        {"RCPT": [Act.HANG]},
    ],
    ids=str,
)
async def test_trouble_of_the_provider_before_the_mark_is_the_next_ones_mail(
    net: Net, script: dict[str, list[Move]]
) -> None:
    first, second = await net.serve(script=script, features=("AUTH PLAIN",)), await net.serve()
    mark = Marker()
    channel = net.channel(provider_at(first.port, username="u", password="p"), second)

    answer = await channel.hand_off(new_parcel(), mark)

    assert (answer.verdict, answer.provider) == (Verdict.ACCEPTED, name_of(second))
    assert [provider for _, provider in mark.asked] == [name_of(second)]
    assert (await channel.hand_off(new_parcel(2), Marker())).provider == name_of(second)
    assert first.connections == 1, "it is left alone for a while"


async def test_a_closed_port_is_the_next_ones_mail(net: Net) -> None:
    gone, second = await net.serve(), await net.serve()
    port = gone.port
    await gone.__aexit__(None, None, None)

    answer = await net.channel(provider_at(port, weight=99), provider_at(second.port, weight=1)).hand_off(
        new_parcel(), Marker()
    )

    assert (answer.verdict, answer.provider) == (Verdict.ACCEPTED, name_of(second))


async def test_a_refusal_for_now_is_the_messages_own_and_another_provider_may_have_the_retry(net: Net) -> None:
    first = await net.serve(script={"MAIL": [b"451 4.7.1 later\r\n"]})
    second = await net.serve()
    channel = net.channel(provider_at(first.port, weight=1), provider_at(second.port, weight=1))

    refused = await channel.hand_off(new_parcel(), Marker())
    mark = Marker()
    retried = await channel.hand_off(new_parcel(), mark)

    assert (refused.verdict, refused.provider) == (Verdict.DEFERRED, name_of(first))
    assert (retried.verdict, retried.provider) == (Verdict.ACCEPTED, name_of(second))


async def test_the_bytes_are_the_same_whoever_takes_them(net: Net, parcel: Parcel) -> None:
    first, second = await net.serve(), await net.serve()
    channel = net.channel(provider_at(first.port, weight=1), provider_at(second.port, weight=1))

    for _ in range(2):
        await channel.hand_off(parcel, Marker())

    [one], [other] = first.received, second.received
    assert one.body == other.body


async def test_a_provider_that_is_back_gets_one_message_first_and_then_its_share(net: Net) -> None:
    first, second = await net.serve(script={"BANNER": [BUSY]}), await net.serve()
    channel = net.channel(provider_at(first.port, weight=1), provider_at(second.port, weight=1))
    await channel.hand_off(new_parcel(0), Marker())
    await asyncio.sleep(SHORT.outage_first.total_seconds() + 0.05)

    await asyncio.gather(*(channel.hand_off(new_parcel(n), Marker()) for n in range(1, 9)))
    assert (len(first.received), first.connections) == (1, 2)

    answers = [await channel.hand_off(new_parcel(n), Marker()) for n in range(9, 19)]
    assert Counter(answer.provider for answer in answers) == {name_of(first): 5, name_of(second): 5}


async def test_a_poisonous_message_pays_for_itself(net: Net) -> None:
    server = await net.serve(script={"DATA": [Act.DROP]})
    channel, poison, pause = net.channel(server), new_parcel(1), SHORT.outage_first.total_seconds() + 0.05

    first = await channel.hand_off(poison, Marker())
    assert first.verdict is Verdict.UNAVAILABLE
    await asyncio.sleep(pause)
    server.push("DATA", Act.DROP)
    second = await channel.hand_off(poison, Marker())
    assert second.verdict is Verdict.UNAVAILABLE, "nobody else was heard: it may be the server"
    await asyncio.sleep(2 * pause)
    assert (await channel.hand_off(new_parcel(2), Marker())).verdict is Verdict.ACCEPTED
    server.push("DATA", Act.DROP, Act.DROP)  # over the resting connection, then over a fresh one
    third = await channel.hand_off(poison, Marker())
    assert (third.verdict, third.reason) == (Verdict.DEFERRED, "dropped_by_provider")
    assert (await channel.hand_off(new_parcel(3), Marker())).verdict is Verdict.ACCEPTED, "nobody waits for it"
    assert (await channel.hand_off(poison, Marker())).verdict is Verdict.ACCEPTED


async def test_a_poisonous_probe_does_not_say_that_the_provider_is_back(net: Net) -> None:
    server = await net.serve(script={"MAIL": [Act.DROP]})
    channel, poison = net.channel(provider_at(server.port, per_connection=1)), new_parcel(1)
    pause = SHORT.outage_first.total_seconds() + 0.05
    await channel.hand_off(poison, Marker())
    await asyncio.sleep(pause)
    assert (await channel.hand_off(new_parcel(2), Marker())).verdict is Verdict.ACCEPTED
    server.push("BANNER", BUSY)
    assert (await channel.hand_off(new_parcel(3), Marker())).reason == "provider_busy"
    await asyncio.sleep(pause)
    server.push("MAIL", Act.DROP)
    assert (await channel.hand_off(poison, Marker())).reason == "dropped_by_provider"
    server.push("BANNER", BUSY)

    answer = await channel.hand_off(new_parcel(4), Marker())

    assert answer.retry_after is not None
    assert answer.retry_after > SHORT.outage_first, "the wait goes on doubling"


async def test_a_poisonous_message_is_offered_to_the_next_provider(net: Net) -> None:
    first, second = await net.serve(), await net.serve(script={"BANNER": [b"554 no\r\n"]})
    channel, poison = net.channel(first, second), new_parcel(1)
    assert (await channel.hand_off(new_parcel(0), Marker())).verdict is Verdict.ACCEPTED
    first.push("MAIL", Act.DROP, Act.DROP)  # over the resting connection, then over a fresh one
    assert (await channel.hand_off(poison, Marker())).verdict is Verdict.UNAVAILABLE
    await asyncio.sleep(SHORT.outage_first.total_seconds() + 0.05)
    assert (await channel.hand_off(new_parcel(2), Marker())).provider == name_of(first)
    first.push("MAIL", Act.DROP, Act.DROP)

    answer = await channel.hand_off(poison, Marker())

    assert (answer.verdict, answer.provider) == (Verdict.ACCEPTED, name_of(second))


async def test_a_server_that_drops_everybody_is_away(net: Net) -> None:
    server = await net.serve(script={"MAIL": [Act.DROP] * 9})
    channel = net.channel(server)
    for number in (1, 2, 1, 2):
        answer = await channel.hand_off(new_parcel(number), Marker())
        assert answer.verdict is Verdict.UNAVAILABLE
        await asyncio.sleep((answer.retry_after or timedelta(0)).total_seconds() + 0.02)
    assert server.connections == 4


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
    await until(lambda: called(server), 5)
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
