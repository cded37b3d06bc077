"""Each mail has an envelope sender of its own where bounces return to us, at no cost to the conversation."""

import asyncio

from postroom.channels.base import Verdict
from postroom.feedback.return_paths import ReturnPaths
from tests.channels.email.conftest import Marker, Net, new_parcel

RETURNS = ReturnPaths({"test": b"r" * 32}, "bounces.example.com")


async def test_each_mail_returns_to_its_own_address(net: Net) -> None:
    plain, returning = await net.serve(), await net.serve()
    parcels = [new_parcel(number) for number in range(4)]
    for server, return_path in ((plain, None), (returning, RETURNS.address)):
        channel = net.channel(server, connections=1, return_path=return_path)
        answers = await asyncio.gather(*(channel.hand_off(parcel, Marker()) for parcel in parcels))
        assert {answer.verdict for answer in answers} == {Verdict.ACCEPTED}
    assert [one.body for one in returning.received] == [one.body for one in plain.received]
    assert (returning.connections, returning.verbs()) == (plain.connections, plain.verbs())
    senders = [one.mail.decode().partition("<")[2].partition(">")[0] for one in returning.received]
    assert senders == [RETURNS.address(parcel.delivery_id) for parcel in parcels]
    assert [RETURNS.read(sender) for sender in senders] == [parcel.delivery_id for parcel in parcels]
