"""Which service takes a message: by weight, health and what is left; only those a task, a key and a domain may use."""

from collections import Counter
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from postroom.channels.base import Verdict
from postroom.channels.email.providers import parse_provider
from postroom.identity import new_id
from postroom.limits.allowance import Allowance
from postroom.sender_services.bindings import BindingAction, ServiceBindings
from postroom.sender_services.book import Standing
from postroom.sender_services.choosing import Draw
from postroom.sender_services.models import ServiceStatus
from tests.channels.email.conftest import Net, provider_at
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change
from tests.sender_services.office import Office, called


def standing(weight: int = 10, *, errors: int = 0, left: float = 1.0) -> Standing:
    name = uuid4()
    party = replace(parse_provider("smtp://127.0.0.1"), name=f"svc_{name.hex}")
    nobody: frozenset[UUID] = frozenset()
    return Standing(
        name,
        UUID(int=1),
        party,
        weight,
        frozenset(),
        nobody,
        ServiceStatus.ACTIVE,
        errors,
        left,
        probe_at=None,
        probing=False,
    )


def firsts(services: list[Standing], times: int) -> list[int]:
    draw = Draw()
    chosen = Counter(draw.order(services)[0].id for _ in range(times))
    return [chosen[one.id] for one in services]


def test_weights_share_the_mail_exactly_over_every_round() -> None:
    assert firsts([standing(5), standing(3), standing(2)], 100) == [50, 30, 20]


def test_no_service_gets_its_share_in_one_burst() -> None:
    services, draw = [standing(4), standing(1), standing(1)], Draw()
    turns = [draw.order(services)[0].id for _ in range(60)]
    assert max(Counter(turns[at : at + 6])[services[0].id] for at in range(54)) == 4


def test_errors_and_a_used_up_quota_weigh_less() -> None:
    assert firsts([standing(), standing(errors=1), standing(left=0.5)], 100) == [50, 25, 25]


def test_what_has_nothing_left_comes_last() -> None:
    empty, good = standing(100, left=0.0), standing(1)
    assert Draw().order([empty, good]) == [good, empty]


def test_whoever_may_have_it_already_is_asked_first() -> None:
    services = [standing(100), standing(1)]
    assert Draw().order(services, services[1].party.name)[0] is services[1]


async def test_a_task_goes_over_the_services_it_names(office: Office, net: Net) -> None:
    servers = [await net.serve() for _ in range(3)]
    ids = [await office.service(f"smtp://127.0.0.1:{one.port}") for one in servers]
    async with office.worker() as worker:
        answers = [await worker.send(office.parcel(ids[:2])) for _ in range(8)]
    assert Counter(answer.provider for answer in answers) == {called(ids[0]): 4, called(ids[1]): 4}


async def test_only_services_that_allow_the_domain_take_it(office: Office, net: Net) -> None:
    mine, others = await net.serve(), await net.serve()
    await office.service(f"smtp://127.0.0.1:{mine.port}", from_domains=("news.example.com",))
    await office.service(f"smtp://127.0.0.1:{others.port}", from_domains=("example.com",))
    async with office.worker() as worker:
        for _ in range(4):
            assert (await worker.send(office.parcel())).verdict is Verdict.ACCEPTED
        lost = await worker.send(office.parcel(sender="x@else.example.com"))
    assert (len(mine.received), len(others.received)) == (4, 0)
    assert (lost.verdict, lost.reason) == (Verdict.UNAVAILABLE, "no_sender_service")


async def test_a_bound_service_serves_the_keys_it_is_bound_to(office: Office, net: Net) -> None:
    bound, free = await net.serve(), await net.serve()
    service_id = await office.service(f"smtp://127.0.0.1:{bound.port}", weight=100)
    await office.service(f"smtp://127.0.0.1:{free.port}", weight=1)
    bindings = ServiceBindings(office.database)
    await bindings.change(office.tenant.id, await office.new_key(), [(service_id, BindingAction.ADD)])
    async with office.worker() as worker:
        assert [(await worker.send(office.parcel())).verdict for _ in range(3)] == [Verdict.ACCEPTED] * 3
    assert (len(bound.received), len(free.received)) == (0, 3)
    await bindings.change(office.tenant.id, office.key_id, [(service_id, BindingAction.ADD)])
    async with office.worker() as worker:
        await worker.send(office.parcel())
    assert len(bound.received) == 1


async def test_without_services_the_ordinary_providers_take_it(office: Office, net: Net) -> None:
    server = await net.serve()
    async with office.worker(provider_at(server.port)) as worker:
        assert (await worker.send(office.parcel())).provider == f"127.0.0.1:{server.port}"
        gone = await worker.send(office.parcel([new_id()]))
    assert (gone.verdict, gone.reason) == (Verdict.UNAVAILABLE, "no_sender_service")


async def test_a_message_of_no_task_goes_as_it_always_did(office: Office, net: Net) -> None:
    ordinary, service = await net.serve(), await net.serve()
    await office.service(f"smtp://127.0.0.1:{service.port}")
    async with office.worker(provider_at(ordinary.port)) as worker:
        await worker.send(office.parcel(bulk=None, notification_id=new_id()))
    assert (len(ordinary.received), len(service.received)) == (1, 0)


DELIVERY = """
INSERT INTO deliveries (id, tenant_id, task_id, seq, position, channel, expires_at, provider, resends)
VALUES (%s, %s, %s, 1, 0, 'email', now() + interval '1 hour', %s, %s)
"""


@pytest.mark.parametrize(("resends", "same"), [(1, 6), (0, 0)])
async def test_a_copy_nobody_knows_about_goes_where_the_first_one_went(
    office: Office, net: Net, resends: int, same: int
) -> None:
    first, other = await net.serve(), await net.serve()
    service_id = await office.service(f"smtp://127.0.0.1:{first.port}", weight=1)
    await office.service(f"smtp://127.0.0.1:{other.port}", weight=100)
    parcel = office.parcel(delivery_id=new_id(), message=b"Message-ID: <1@x>\r\n\r\nfrozen\r\n")
    await change(
        office.database, DELIVERY, parcel.delivery_id, office.tenant.id, office.task_id, called(service_id), resends
    )
    async with office.worker() as worker:
        for _ in range(6):
            await worker.send(parcel)
    assert len(first.received) == same


async def test_the_other_tenants_services_are_not_there(office: Office, net: Net, tenants: Tenants) -> None:
    server = await net.serve()
    await office.service(f"smtp://127.0.0.1:{server.port}", limits=Allowance(per_day=5))
    async with office.worker() as worker:
        assert (await worker.send(office.parcel(tenant_id=tenants.decoy.id))).reason == "no_provider"
    assert server.received == []
