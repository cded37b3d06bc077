"""Mail is signed once, before the mark, with the keys of its own tenant."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import lru_cache
from uuid import UUID

import pytest

from postroom.channels.base import Verdict
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.mime import build
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions
from postroom.channels.email.signer import GROUP, Signer
from postroom.channels.email.signing import SigningKey, sign
from postroom.mail_domains.models import Algorithm
from postroom.mail_domains.pairs import new_pair, read_private
from tests.channels.email.conftest import DOMAIN, SHORT, TENANT, Marker, Net, new_parcel, provider_at

OTHER = UUID(int=8)


@lru_cache
def key_of(tenant_id: UUID) -> SigningKey:
    return SigningKey(DOMAIN, f"s{tenant_id.int}", read_private(new_pair(Algorithm.RSA).secret))


async def keys_of(tenant_id: UUID, domain: str) -> Sequence[SigningKey]:
    return (key_of(tenant_id),) if domain == DOMAIN else ()


@pytest.fixture
async def signer() -> AsyncIterator[Signer]:
    opened = Signer(keys_of, 2)
    yield opened
    opened.close()


def signing(net: Net, signer: Signer, port: int) -> EmailChannel:
    async def providers_of(tenant_id: UUID) -> Sequence[Provider]:
        return [provider_at(port)]

    return net.keep(EmailChannel(providers_of, SHORT, EmailOptions(DOMAIN, 4), None, signer))


async def test_the_marked_bytes_are_the_signed_ones_and_stay(net: Net, signer: Signer, mark: Marker) -> None:
    server = await net.serve(script={"BODY": [b"451 4.3.0 later\r\n", b"250 ok\r\n"]})
    parcel = new_parcel()
    first = await signing(net, signer, server.port).hand_off(parcel, mark)
    [(frozen, _)] = mark.asked
    assert (first.verdict, frozen[:15]) == (Verdict.DEFERRED, b"DKIM-Signature:")

    again = replace(parcel, message=frozen)
    assert (await signing(net, signer, server.port).hand_off(again, mark)).verdict is Verdict.ACCEPTED
    assert [asked for asked, _ in mark.asked] == [frozen, frozen]


async def test_what_was_never_frozen_is_signed_the_same_again(net: Net, signer: Signer) -> None:
    server, parcel, marks = await net.serve(), new_parcel(), (Marker(verdict=False), Marker())
    for mark in marks:  # the first process dies before the mark is written
        await signing(net, signer, server.port).hand_off(parcel, mark)
    assert marks[0].asked == marks[1].asked


async def test_each_tenant_has_its_own_key(signer: Signer) -> None:
    parcels = [new_parcel(number, tenant_id=owner) for number in range(1, 3 * GROUP) for owner in (TENANT, OTHER)]
    messages = [build(parcel, DOMAIN) for parcel in parcels]
    found = await asyncio.gather(*map(signer.signed, parcels, messages))
    expected = [
        sign(message, [key_of(parcel.tenant_id)], parcel.resolved_at)
        for parcel, message in zip(parcels, messages, strict=True)
    ]
    assert found == expected
    assert {b" s=s7;" in message for message in found[::2]} == {True}
    assert {b" s=s8;" in message for message in found[1::2]} == {True}


async def test_another_domain_is_not_signed_for(signer: Signer) -> None:
    parcel = new_parcel(sender="Shop <a@shop.postroom.example>")
    message = build(parcel, DOMAIN)
    assert await signer.signed(parcel, message) == message
