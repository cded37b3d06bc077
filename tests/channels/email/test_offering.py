"""What one provider cannot take now the next one takes, while nothing was marked."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from postroom.channels.base import Parcel, Verdict
from tests.channels.email.conftest import SHORT, Marker, Net, new_parcel, provider_at
from tests.channels.email.scripted import BUSY, Act, Move, Scripted


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
