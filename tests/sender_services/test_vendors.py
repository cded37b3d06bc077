"""A vendor of mail over HTTP among the services: the same bytes, the same health, evidence where it can be had."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from postroom.channels.base import Evidence, Suspect, Verdict
from postroom.identity import message_id
from postroom.sender_services.destination import Destination
from postroom.sender_services.models import ServiceKind
from tests.channels.email.conftest import DOMAIN, Marker, Net
from tests.fixtures.receiver import Reaction, Receiver, receiving
from tests.sender_services.office import Office, called

TAKEN = b'{"statusCode": 200, "info": {"emailIdList": ["17"]}}'


@pytest.fixture
async def vendor() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


def at(vendor: Receiver, kind: str = "aurora") -> dict[str, object]:
    return {"destination": Destination(ServiceKind.HTTP_MAIL, vendor.url("/send"), kind, "batch"), "password": "s3cret"}


async def test_a_message_goes_to_the_vendor_or_over_smtp_with_the_same_bytes(
    office: Office, net: Net, vendor: Receiver
) -> None:
    vendor.react("/send", Reaction(body=TAKEN))
    server = await net.serve()
    ids = [await office.service("", **at(vendor)), await office.service(f"smtp://127.0.0.1:{server.port}")]
    mark, parcel = Marker(), office.parcel()
    async with office.worker() as worker:
        answers = [await worker.send(parcel, mark) for _ in range(4)]
    assert sorted(str(answer.provider) for answer in answers) == sorted(map(called, ids * 2))
    assert len({message for message, _ in mark.asked}) == 1
    assert (len(vendor.received), len(server.received)) == (2, 2)


async def test_a_vendor_that_does_not_know_us_is_frozen_and_probed(office: Office, vendor: Receiver) -> None:
    vendor.react("/send", *[Reaction(401)] * 3, Reaction(body=TAKEN))
    service_id = await office.service("", **at(vendor), error_threshold=1)
    async with office.worker() as worker:
        assert (await worker.send(office.parcel())).verdict is Verdict.UNAVAILABLE
    row = await office.row(service_id)
    assert (row["status"], row["reason"]) == ("frozen", "provider_auth_failed")
    assert len(vendor.received) == 1


@pytest.mark.parametrize(("kind", "evidence"), [("generic", Evidence.REPEATABLE), ("aurora", None)])
async def test_whoever_knows_a_second_copy_may_be_sent_one(
    office: Office, vendor: Receiver, kind: str, evidence: Evidence | None
) -> None:
    vendor.react("/send", Reaction(hang_up=True))
    service_id = await office.service("", **at(vendor, kind))
    parcel = office.parcel()
    async with office.worker() as worker:
        assert (await worker.send(parcel)).verdict is Verdict.UNKNOWN
        name = message_id(parcel.delivery_id, DOMAIN)
        suspect = Suspect(parcel.delivery_id, office.tenant.id, name, called(service_id))
        elsewhere = Suspect(office.task_id, office.tenant.id, name, "relay")
        assert (await worker.channel.evidence([suspect, elsewhere])).get(parcel.delivery_id) is evidence


async def test_a_wait_that_a_vendor_asks_for_is_no_error(office: Office, vendor: Receiver) -> None:
    vendor.react("/send", Reaction(429, [("Retry-After", "120")]))
    service_id = await office.service("", **at(vendor), error_threshold=1)
    async with office.worker() as worker:
        answer = await worker.send(office.parcel())
    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "provider_busy")
    assert answer.retry_after == timedelta(minutes=2)
    assert (await office.row(service_id))["status"] == "active"
