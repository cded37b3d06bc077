"""What is signed with a tenant's key is believed by whoever reads the record that the tenant was shown."""

from dataclasses import replace

import dkim

from postroom.channels.base import Parcel
from postroom.channels.email.mime import build
from postroom.channels.email.signer import Signer
from postroom.feedback.return_paths import ReturnPaths
from postroom.mail_domains.book import DomainBook
from postroom.mail_domains.records import records_of
from postroom.mail_domains.returning import Returning
from tests.channels.email.conftest import new_parcel
from tests.mail_domains.conftest import BOUNCES, DOMAIN, HOUSE, Shop


async def test_a_declared_and_published_domain_signs_its_mail(shop: Shop) -> None:
    made = await shop.declared(ed25519=True)
    shop.publish(made)
    await shop.check(made)
    shown = {record.name: record.value for record in records_of(made.domain, made.keys, HOUSE)}

    def ask(name: bytes, timeout: int) -> bytes:
        assert timeout > 0
        return shown[name.decode().rstrip(".")].encode()

    signer = Signer(DomainBook(shop.database, shop.seal).keys_of, 1)
    parcel = new_parcel(tenant_id=shop.tenants.alice.id, sender=f"Shop <orders@{DOMAIN}>")
    message = await signer.signed(parcel, build(parcel, DOMAIN))
    assert [dkim.DKIM(message).verify(index, dnsfunc=ask) for index in (0, 1)] == [True, True]
    theirs = new_parcel(tenant_id=shop.tenants.decoy.id, sender=f"Shop <orders@{DOMAIN}>")
    plain = build(theirs, DOMAIN)
    assert await signer.signed(theirs, plain) == plain
    signer.close()


async def test_a_deleted_domain_signs_nothing(shop: Shop) -> None:
    made = await shop.declared()
    shop.publish(made)
    await shop.check(made)
    book = DomainBook(shop.database, shop.seal)
    assert len(await book.keys_of(shop.tenants.alice.id, DOMAIN)) == 1
    await shop.domains.remove(shop.tenants.alice.id, made.domain.id)
    assert await DomainBook(shop.database, shop.seal).keys_of(shop.tenants.alice.id, DOMAIN) == ()


async def test_bounces_return_below_the_from_domain_while_somebody_takes_them(shop: Shop) -> None:
    returns = ReturnPaths({"test": b"r" * 32}, "bounces.postroom.example")
    made = await shop.declared()
    parcel = new_parcel(tenant_id=shop.tenants.alice.id, sender=f"Shop <orders@{DOMAIN}>")

    async def path(parcel: Parcel = parcel) -> str | None:
        return await Returning(returns, DomainBook(shop.database, shop.seal)).path(parcel)

    ours = returns.address(parcel.delivery_id, "bounces.postroom.example")
    assert await path() == ours
    shop.publish(made)
    await shop.check(made)
    theirs = await path()
    assert theirs == returns.address(parcel.delivery_id, BOUNCES)
    assert returns.read(theirs) == parcel.delivery_id
    assert await path(replace(parcel, tenant_id=shop.tenants.decoy.id)) == ours
    assert await path(replace(parcel, sender="a@shop.example.org")) == ours
    shop.zone.exchangers(BOUNCES, "10 elsewhere.example.com.")
    await shop.check(made)
    assert await path() == ours
    alone = Returning(ReturnPaths({"test": b"r" * 32}), DomainBook(shop.database, shop.seal))
    assert await alone.path(parcel) is None
