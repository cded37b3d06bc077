"""Each mail has an envelope sender of its own where bounces return to us, at no cost to the conversation."""

import asyncio

from postroom.channels.base import Parcel, Verdict
from postroom.feedback.return_paths import ReturnPaths
from tests.channels.email.conftest import Marker, Net, new_parcel

BOUNCES = "bounces.example.com"
RETURNS = ReturnPaths({"test": b"r" * 32}, BOUNCES)


async def path(parcel: Parcel) -> str:
    return RETURNS.address(parcel.delivery_id, BOUNCES)


async def nowhere(_: Parcel) -> None:
    """Bounces go to the sender."""


async def test_each_mail_returns_to_its_own_address(net: Net) -> None:
    plain, bare, returning = [await net.serve() for _ in range(3)]
    parcels = [new_parcel(number) for number in range(4)]
    for server, return_path in ((plain, None), (bare, nowhere), (returning, path)):
        channel = net.channel(server, connections=1, return_path=return_path)
        answers = await asyncio.gather(*(channel.hand_off(parcel, Marker()) for parcel in parcels))
        assert {answer.verdict for answer in answers} == {Verdict.ACCEPTED}
    assert {one.mail for one in (*plain.received, *bare.received)} == {plain.received[0].mail}
    assert [one.body for one in returning.received] == [one.body for one in plain.received]
    assert (returning.connections, returning.verbs()) == (plain.connections, plain.verbs())
    senders = [one.mail.decode().partition("<")[2].partition(">")[0] for one in returning.received]
    assert senders == [await path(parcel) for parcel in parcels]
    assert [RETURNS.read(sender) for sender in senders] == [parcel.delivery_id for parcel in parcels]
