"""A look at DNS says what is wrong, by code; keys sign once they were seen, and silence proves nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.mail_domains.book import DomainBook
from postroom.mail_domains.checking import Checks, Standing
from postroom.mail_domains.models import Algorithm, DomainState, KeyState
from postroom.mail_domains.records import key_name, key_text
from tests.mail_domains.conftest import BOUNCES, DOMAIN, HOUSE, PATIENT, Shop, declared

DMARC = f"_dmarc.{DOMAIN}"


def codes(standing: Standing, weight: str = "error") -> set[str]:
    return {finding["code"] for finding in standing.domain.findings if finding["weight"] == weight}


def place(standing: Standing) -> str:
    return key_name(standing.keys[0].selector, DOMAIN)


async def test_what_is_published_as_shown_is_ready(shop: Shop) -> None:
    made = await shop.declared()
    assert (made.domain.state, made.domain.checked_at) == (DomainState.UNVERIFIED, None)
    shop.publish(made)
    seen = await shop.check(made)
    assert (seen.domain.state, seen.domain.findings) == (DomainState.READY, [])
    assert seen.domain.checked_at
    assert seen.domain.next_check_at - seen.domain.checked_at == timedelta(hours=6)
    assert [key.state for key in seen.keys] == [KeyState.ACTIVE]


async def test_nothing_published_is_failing(shop: Shop) -> None:
    made = await shop.declared()
    seen = await shop.check(made)
    assert seen.domain.state == DomainState.FAILING
    assert codes(seen) == {"dkim_key_missing", "spf_missing", "dmarc_missing", "bounce_mx_missing"}
    assert codes(seen, "warning") == {"domain_takes_no_mail"}
    assert seen.keys[0].state == KeyState.PENDING


@pytest.mark.parametrize(
    ("spoil", "code", "weight"),
    [
        (lambda text: text.replace("p=MII", "p=MIJ"), "dkim_key_differs", "error"),
        (lambda text: text.partition("p=")[0] + "p=", "dkim_key_revoked", "error"),
        (lambda text: text.replace("DKIM1", "DKIM2"), "dkim_record_invalid", "error"),
        (lambda text: text.partition("=")[0], "dkim_record_invalid", "error"),
        (lambda text: text.replace("k=rsa", "k=rsa; h=sha1"), "dkim_key_unusable", "error"),
        (lambda text: text.replace("k=rsa", "k=rsa; s=tlsrpt"), "dkim_key_unusable", "error"),
        (lambda text: text.replace("k=rsa", "k=ed25519"), "dkim_key_differs", "error"),
        (lambda text: text.replace("k=rsa", "k=rsa; t=s:y"), "dkim_testing", "warning"),
    ],
)
async def test_a_key_that_is_not_ours(shop: Shop, spoil: Callable[[str], str], code: str, weight: str) -> None:
    made = await shop.declared()
    shop.publish(made)
    shop.zone.texts(place(made), spoil(key_text(made.keys[0])))
    seen = await shop.check(made)
    assert codes(seen, weight) == {code}
    assert (seen.keys[0].state == KeyState.ACTIVE) is (weight == "warning")


async def test_a_key_is_read_whatever_blanks_it_has(shop: Shop) -> None:
    made = await shop.declared()
    shop.publish(made)
    shop.zone.texts(place(made), f" p = {made.keys[0].public_key[:70]} {made.keys[0].public_key[70:]} ;")
    assert (await shop.check(made)).domain.state == DomainState.READY
    shop.zone.texts(place(made), key_text(made.keys[0]), "another")
    assert codes(await shop.check(made)) == {"dkim_multiple"}


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ({DMARC: ["v=DMARC1; p=reject; aspf=s"]}, ("warning", "spf_not_aligned")),
        ({DMARC: ["v=DMARC1; p=never"]}, ("error", "dmarc_invalid")),
        ({DMARC: ["v=DMARC1"]}, ("error", "dmarc_invalid")),
        ({DMARC: ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, ("error", "dmarc_multiple")),
        ({DMARC: ["p=none; v=DMARC1"]}, ("error", "dmarc_missing")),
        ({DMARC: [], "_dmarc.example.com": ["v=DMARC1;p=none"]}, None),
    ],
)
async def test_what_a_dmarc_record_amounts_to(
    shop: Shop, records: dict[str, list[str]], code: tuple[str, str] | None
) -> None:
    made = await shop.declared()
    shop.publish(made)
    for name, texts in records.items():
        shop.zone.texts(name, *texts)
    seen = await shop.check(made)
    assert {(found["weight"], found["code"]) for found in seen.domain.findings} == ({code} if code else set())


@pytest.mark.parametrize(
    ("exchangers", "code"),
    [(["0 ."], "bounce_mx_missing"), ([], "bounce_mx_missing"), (["10 mx.elsewhere.example."], "bounce_mx_elsewhere")],
)
async def test_bounces_must_come_back(shop: Shop, exchangers: list[str], code: str) -> None:
    made = await shop.declared()
    shop.publish(made)
    shop.zone.exchangers(BOUNCES, *exchangers)
    assert codes(await shop.check(made)) == {code}


async def test_silence_changes_no_state(shop: Shop) -> None:
    made = await shop.declared()
    shop.publish(made)
    hasty = replace(PATIENT, dns_answer=timedelta(seconds=0.2), domain_look=timedelta(seconds=0.4))
    quick = Checks.asking(shop.servers, HOUSE, shop.database, hasty)
    shop.zone.silent = {DMARC, DOMAIN, BOUNCES, place(made)}
    unheard = await quick.check(shop.tenants.alice.id, made.domain.id)
    assert (unheard.domain.state, codes(unheard, "unknown")) == (DomainState.UNVERIFIED, {"dns_silent"})
    shop.zone.silent = set()
    assert (await shop.check(made)).domain.state == DomainState.READY
    shop.zone.silent = {DMARC}
    still = await quick.check(shop.tenants.alice.id, made.domain.id)
    assert (still.domain.state, codes(still, "unknown")) == (DomainState.READY, {"dns_silent"})
    assert still.domain.checked_at
    assert still.domain.next_check_at - still.domain.checked_at == timedelta(hours=6)
    shop.zone.records.pop((BOUNCES, "TXT"))
    assert (await quick.check(shop.tenants.alice.id, made.domain.id)).domain.state == DomainState.FAILING


async def test_a_new_key_takes_over_when_it_was_seen(shop: Shop) -> None:
    async def signing() -> list[str]:
        return [
            key.selector for key in await DomainBook(shop.database, shop.seal).keys_of(shop.tenants.alice.id, DOMAIN)
        ]

    made = await shop.declared()
    assert await signing() == []
    shop.publish(made)
    await shop.check(made)
    first = made.keys[0].selector
    assert await signing() == [first]

    rotated = await shop.domains.rotate(shop.tenants.alice.id, made.domain.id, None)
    [_, following] = rotated.keys
    waiting = await shop.check(made)
    assert (waiting.domain.state, codes(waiting, "warning")) == (DomainState.READY, {"dkim_key_missing"})
    assert await signing() == [first]

    shop.zone.texts(key_name(following.selector, DOMAIN), key_text(following))
    shop.zone.texts(key_name(first, DOMAIN))  # taken away too early: the new key is what counts
    switched = await shop.check(made)
    assert (switched.domain.state, switched.domain.findings) == (DomainState.READY, [])
    assert [(key.state, key.secret is None) for key in switched.keys] == [("retired", True), ("active", False)]
    assert await signing() == [following.selector]
    forget = "UPDATE mail_domain_keys SET retired_at = now() - interval '8 days' WHERE state = 'retired' RETURNING id"
    async with shop.database.tenant_transaction(shop.tenants.alice.id) as connection:
        assert await (await connection.execute(forget)).fetchall()
    assert len((await shop.domains.rotate(shop.tenants.alice.id, made.domain.id, None)).keys) == 2


async def test_a_second_signature_is_nobodys_condition(shop: Shop) -> None:
    made = await shop.declared(ed25519=True)
    shop.publish(made)
    [second] = [key for key in made.keys if key.algorithm == Algorithm.ED25519]
    shop.zone.texts(key_name(second.selector, DOMAIN))
    seen = await shop.check(made)
    assert (seen.domain.state, codes(seen, "warning")) == (DomainState.READY, {"dkim_key_missing"})
    shop.zone.texts(key_name(second.selector, DOMAIN), key_text(second))
    both = await shop.check(made)
    assert {key.state for key in both.keys} == {KeyState.ACTIVE}


async def test_two_tenants_may_have_one_domain_and_never_one_key(shop: Shop) -> None:
    mine, theirs = [await declared(shop.domains, one.id) for one in (shop.tenants.alice, shop.tenants.decoy)]
    shop.publish(mine)
    for made in (mine, theirs):
        await shop.check(made)
    book = DomainBook(shop.database, shop.seal)
    assert [key.selector for key in await book.keys_of(shop.tenants.alice.id, DOMAIN)] == [mine.keys[0].selector]
    assert await book.keys_of(shop.tenants.decoy.id, DOMAIN) == ()


@pytest.mark.parametrize("odd", [r"in\000clude.example.com", r"\255\254.example.com", "x" * 200 + ".example.com", ".."])
async def test_a_policy_that_refers_to_nonsense_is_found_to_do_so(shop: Shop, odd: str) -> None:
    made = await shop.declared()
    shop.publish(made)
    shop.zone.texts(BOUNCES, f"v=spf1 include:{odd} include:_spf.postroom.example ~all")
    looked = await shop.check(made)
    assert looked.domain.state == DomainState.FAILING
    assert codes(looked, "error") & {"spf_include_broken", "spf_invalid"}
