"""Places go to letters by priority, and inside a priority in the order they came."""

import asyncio

import pytest

from postroom.channels.base import Verdict
from postroom.contracts.vocabulary import Priority
from tests.channels.email.conftest import Marker, Net, new_parcel, waiting
from tests.channels.email.scripted import FEATURES, PLAIN_FEATURES, Scripted

both_ways = pytest.mark.parametrize("features", [FEATURES, PLAIN_FEATURES], ids=["pipelined", "step by step"])


def recipients(server: Scripted) -> list[str]:
    return [letter.recipients[0].decode().split("<")[1].split("@")[0] for letter in server.received]


@both_ways
async def test_the_urgent_overtake_a_page_of_others(net: Net, features: tuple[str, ...]) -> None:
    server, held = await net.serve(features=features), asyncio.Event()
    channel = net.channel(server, connections=1)

    async def one(name: str, priority: Priority, mark: Marker) -> Verdict:
        parcel = new_parcel(address=f"{name}@example.com", priority=priority)
        return (await channel.hand_off(parcel, mark)).verdict

    first = asyncio.create_task(one("first", Priority.LOW, Marker(after=waiting(held))))
    await asyncio.sleep(0.05)
    page = [(f"low{n}", Priority.LOW) for n in range(3)] + [("medium", Priority.MEDIUM)]
    urgent = [("high", Priority.HIGH), ("critical1", Priority.CRITICAL), ("critical2", Priority.CRITICAL)]
    others = [asyncio.create_task(one(name, priority, Marker())) for name, priority in page + urgent]
    await asyncio.sleep(0.05)
    held.set()

    assert set(await asyncio.gather(first, *others)) == {Verdict.ACCEPTED}
    assert recipients(server) == ["first", "critical1", "critical2", "high", "medium", "low0", "low1", "low2"]


async def test_who_was_cancelled_while_waiting_costs_nobody_a_turn(net: Net) -> None:
    server, held = await net.serve(), asyncio.Event()
    channel = net.channel(server, connections=1)
    first = asyncio.create_task(channel.hand_off(new_parcel(0), Marker(after=waiting(held))))
    others = [asyncio.create_task(channel.hand_off(new_parcel(n), Marker())) for n in range(1, 6)]
    await asyncio.sleep(0.05)
    for given_up in others[:4]:
        given_up.cancel()
    await asyncio.sleep(0)
    held.set()

    assert [(await one).verdict for one in (first, others[4])] == [Verdict.ACCEPTED] * 2
    assert len(server.received) == 2
    assert server.connections == 1
