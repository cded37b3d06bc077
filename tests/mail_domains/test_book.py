"""What is signed with a tenant's key is believed by whoever reads the record that the tenant was shown."""

import dkim

from postroom.channels.email.mime import build
from postroom.channels.email.signer import Signer
from postroom.mail_domains.book import SigningBook
from postroom.mail_domains.records import records_of
from tests.channels.email.conftest import new_parcel
from tests.mail_domains.conftest import DOMAIN, HOUSE, Shop


async def test_a_declared_and_published_domain_signs_its_mail(shop: Shop) -> None:
    made = await shop.declared(ed25519=True)
    shop.publish(made)
    await shop.check(made)
    shown = {record.name: record.value for record in records_of(made.domain, made.keys, HOUSE)}

    def ask(name: bytes, timeout: int) -> bytes:
        assert timeout > 0
        return shown[name.decode().rstrip(".")].encode()

    signer = Signer(SigningBook(shop.database, shop.seal).keys_of, 1)
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
    book = SigningBook(shop.database, shop.seal)
    assert len(await book.keys_of(shop.tenants.alice.id, DOMAIN)) == 1
    await shop.domains.remove(shop.tenants.alice.id, made.domain.id)
    assert await SigningBook(shop.database, shop.seal).keys_of(shop.tenants.alice.id, DOMAIN) == ()
