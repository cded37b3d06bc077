"""The channel against the fault sink: an answer that was lost is found again in the relay's own journal."""

from uuid import UUID

from postroom.channels.base import Evidence, Suspect, Verdict
from postroom.identity import message_id
from tests.channels.email.conftest import DOMAIN, TENANT, Marker, Net, new_parcel, provider_at
from tests.fixtures.sink import Behaviour, Sink


async def test_what_became_of_two_lost_answers(net: Net) -> None:
    taken, lost = new_parcel(1, address="taken@example.com"), new_parcel(2, address="lost@example.com")
    async with Sink.open() as sink:
        sink.behave(taken.address, Behaviour.drop("dot", taken=True))
        sink.behave(lost.address, Behaviour.drop("dot"))
        channel = net.channel(provider_at(sink.port, name="sink"), evidence_url=sink.evidence_url)

        answers = [await channel.hand_off(parcel, Marker()) for parcel in (taken, lost)]
        said = await channel.evidence([_suspect(parcel.delivery_id) for parcel in (taken, lost)])

    assert [answer.verdict for answer in answers] == [Verdict.UNKNOWN, Verdict.UNKNOWN]
    assert said == {taken.delivery_id: Evidence.FOUND, lost.delivery_id: Evidence.ABSENT}


def _suspect(delivery_id: UUID) -> Suspect:
    return Suspect(delivery_id, TENANT, message_id(delivery_id, DOMAIN), "sink")
