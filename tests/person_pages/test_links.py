"""A link says whom it speaks for to those who hold the keys, and to nobody else."""

import base64
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.channels.email.headers import LINE_LIMIT, spell_unsubscribe
from postroom.contracts.vocabulary import ChannelKind
from postroom.person_pages.links import Bearer, LinkMaker

OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}
BASE = "https://notify.example.com"
LONG_BASE = "https://" + "a" * 132  # as long as the setting may be
LONGEST = LinkMaker({"a-key-of-2026-11": b"k" * 32}, LONG_BASE)
MAKER = LinkMaker(OLD, BASE)
TENANT = UUID(int=1)
ADA = Bearer(TENANT, "ada@shop.de", ChannelKind.EMAIL, bytes(range(32)), "newsletter")
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=64)


BEARERS = st.builds(
    Bearer,
    tenant_id=st.just(TENANT),
    user_id=st.none() | NAMES,
    channel=st.sampled_from(ChannelKind),
    address_hash=st.none() | st.just(b"\0" * 32),
    notification_type=st.none() | NAMES,
    delivery_id=st.none() | st.uuids(),
)


@given(BEARERS)
def test_what_was_sealed_is_read(bearer: Bearer) -> None:
    links = LONGEST.links(bearer)
    assert LONGEST.read(links.unsubscribe_url.removeprefix(f"{LONG_BASE}/u/")) == bearer
    assert len(spell_unsubscribe(links.unsubscribe_url).splitlines()[0]) <= LINE_LIMIT


def test_a_link_names_nobody_and_is_always_the_same() -> None:
    token = MAKER.token(ADA)
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert not any(part in raw for part in (b"ada", b"shop", b"newsletter", bytes(range(32))))
    assert LinkMaker(OLD, BASE).token(ADA) == token
    assert MAKER.token(replace(ADA, user_id="bea")) != token


def test_no_letter_of_it_can_be_changed() -> None:
    token = MAKER.token(ADA)
    for at in range(len(token)):
        for sign in "AB":
            changed = token[:at] + sign + token[at + 1 :]
            read = MAKER.read(changed)
            assert read is None or read == ADA, at  # the last letter has bits that say nothing
    assert MAKER.read(token[:-4]) is None


def test_a_link_of_another_tenant_is_made_with_another_key() -> None:
    theirs = MAKER.token(replace(ADA, tenant_id=UUID(int=2)))
    mine = base64.urlsafe_b64decode(MAKER.token(ADA) + "==")[:20]
    raw = base64.urlsafe_b64decode(theirs + "==")
    assert MAKER.read(base64.urlsafe_b64encode(mine + raw[20:]).decode().rstrip("=")) is None


@pytest.mark.parametrize("text", ["", "A", "nothing", "é", "A" * 5_000, "////", "_" * 40, "BG9sZA"])
def test_noise_is_no_link(text: str) -> None:
    assert MAKER.read(text) is None


def test_old_links_live_as_long_as_their_key() -> None:
    token = MAKER.token(ADA)
    rotated = LinkMaker(NEW | OLD, BASE)
    assert rotated.read(token) == ADA
    assert rotated.token(ADA) != token
    assert LinkMaker(NEW, BASE).read(token) is None
