"""A token says what it stands for to those who hold the keys, and nobody else can make one."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.tracking.rewriting import target_of
from postroom.tracking.tokens import URL_LIMIT, Mail, Target, TokenMaker, spelled

BASE = "https://notify.example.com"
OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}
MAKER = TokenMaker(OLD, BASE)
MAIL = Mail(UUID(int=1), UUID(int=2))
SHOP = Target("https://shop.example.com/spring?a=1&b=2", 7)
PATHS = st.text(st.sampled_from("abcXYZ019/-_.~%?=&+"), max_size=100)


def open_token(maker: TokenMaker, mail: Mail = MAIL) -> str:
    return maker.pixel(mail).removeprefix(f"{BASE}/track/open/").removesuffix(".gif")


def click_token(maker: TokenMaker, mail: Mail = MAIL, target: Target = SHOP) -> str:
    return maker.links(mail)(spelled(target)).removeprefix(f"{BASE}/track/click/")


@given(st.uuids(), st.uuids(), PATHS, st.integers(0, 500))
def test_what_was_made_is_read(tenant_id: UUID, delivery_id: UUID, path: str, position: int) -> None:
    mail, target = Mail(tenant_id, delivery_id), Target(f"https://shop.example.com/{path}", position)
    assert MAKER.clicked(click_token(MAKER, mail, target)) == (mail, target)
    assert MAKER.opened(open_token(MAKER, mail)) == mail
    assert click_token(MAKER, mail, target) == click_token(TokenMaker(OLD, BASE), mail, target)


def test_the_longest_link_stays_below_what_programs_cut_off() -> None:
    url = "https://shop.example.com/" + "a" * (URL_LIMIT - 25)
    assert target_of(url) == url
    assert target_of(url + "a") is None
    link = TokenMaker(OLD, "https://" + "a" * 132).links(MAIL)(spelled(Target(url)))
    assert len(link) < 2_200
    assert MAKER.clicked(link.rpartition("/")[2]) == (MAIL, Target(url))


@pytest.mark.parametrize("kind", ["opened", "clicked"])
def test_nothing_else_is_read(kind: str) -> None:
    good = open_token(MAKER) if kind == "opened" else click_token(MAKER)
    read = getattr(MAKER, kind)
    assert read(good)
    swapped = [good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :] for at in range(len(good) - 1)]
    others = ["", "a", "====", good[:-2], good + "AAAA", "A" * 5_000, "\u00e4" * 30, good * 40]
    assert [text for text in [*swapped, *others] if read(text) is not None] == []


def test_a_token_of_one_kind_is_none_of_another() -> None:
    assert MAKER.clicked(open_token(MAKER)) is None
    assert MAKER.opened(click_token(MAKER)) is None


def test_tenants_and_deployments_have_keys_of_their_own() -> None:
    token = click_token(MAKER)
    other = click_token(MAKER, Mail(UUID(int=9), MAIL.delivery_id))
    assert MAKER.clicked(other[:22] + token[22:]) is None
    assert TokenMaker(NEW, BASE).clicked(token) is None


def test_keys_rotate() -> None:
    token = click_token(MAKER)
    rotated = TokenMaker(NEW | OLD, BASE)
    assert rotated.clicked(token) == (MAIL, SHOP)
    assert MAKER.clicked(click_token(rotated)) is None
