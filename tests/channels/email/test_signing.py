"""What we sign is believed by others: dkimpy verifies messages of all shapes, and none that was changed."""

import datetime as dt
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.channels.base import Bulk, Enclosure, Parcel
from postroom.channels.email.mime import build
from postroom.channels.email.signing import SigningKey, sign
from postroom.identity import new_id
from postroom.mail_domains.models import Algorithm
from postroom.mail_domains.pairs import Pair, new_pair, read_private
from tests.channels.email.conftest import DOMAIN, new_parcel

HTML = "<p>It is on its way.</p>"
BULK = Bulk(new_id(), new_id(), 7, reply_to="Café <help@postroom.example>")
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {"body_html": None},
    "both": {},
    "attachment": {"enclosures": (Enclosure("Grüße.pdf", "application/pdf", bytes(range(256)) * 40),)},
    "inline": {"body_html": '<img src="cid:a">', "enclosures": (Enclosure("a.png", "image/png", b"x", "a"),)},
    "eight bit": {"body_text": "Привет, мир\n", "body_html": None},
    "quoted": {"body_text": "naïve words among plain ones\n" * 20, "body_html": None},
    "long lines": {"body_text": "x" * 5000, "body_html": None},
    "empty body": {"body_text": "", "body_html": None},
    "blank lines at the end": {"body_text": "x\n\n\n\n", "body_html": None},
    "nothing but blank lines": {"body_text": "\n\n\n", "body_html": None},
    "blanks at line ends": {"body_text": "x  \t \ny \n", "body_html": None},
    "dots": {"body_text": ".\n..\n.x\n", "body_html": None},
    "header words": {"title": "Größe " * 30, "sender": "Ünïcode Shop <no-reply@postroom.example>"},
    "folded subject": {"title": "a long subject of plain words " * 12},
    "two blanks in the subject": {"title": "two  blanks"},
    "no subject": {"title": None},
    "long name": {"sender": f'"{"A, B " * 30}" <no-reply@postroom.example>'},
    "bulk": {"bulk": BULK, "unsubscribe_url": "https://postroom.example/u/" + "x" * 200},
    "foreign letters in the address": {"address": "用户@example.com"},
}


@lru_cache
def pair(algorithm: Algorithm = Algorithm.RSA) -> Pair:
    return new_pair(algorithm)


def key(algorithm: Algorithm = Algorithm.RSA, selector: str = "s1") -> SigningKey:
    return SigningKey(DOMAIN, selector, read_private(pair(algorithm).secret))


def published(*algorithms: Algorithm) -> Callable[[bytes, int], bytes]:
    """The DNS in which the keys stand, as s1, s2 ..."""
    records = {
        f"s{number}._domainkey.{DOMAIN}.": f"v=DKIM1; k={str(one).removesuffix('-sha256')}; p={pair(one).public}"
        for number, one in enumerate(algorithms, 1)
    }

    def ask(name: bytes, timeout: int) -> bytes:
        assert timeout > 0
        return records[name.decode()].encode()

    return ask


def is_believed(message: bytes, index: int = 0, *algorithms: Algorithm) -> bool:
    verifier = dkim.DKIM(message, minkey=1024)
    try:
        return bool(verifier.verify(index, dnsfunc=published(*(algorithms or (Algorithm.RSA,)))))
    except dkim.ValidationError:
        return False


def signed(parcel: Parcel) -> bytes:
    return sign(build(parcel, DOMAIN), [key()], parcel.resolved_at)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_believed(shape: str) -> None:
    message = signed(new_parcel(**SHAPES[shape]))
    assert is_believed(message)
    assert max(map(len, message.split(b"\r\n"))) <= 998


@given(
    title=st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=120),
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300),
)
def test_whatever_is_said_is_believed(title: str, text: str) -> None:
    assert is_believed(signed(new_parcel(title=title, body_text=text, body_html=None)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"It is on its way.\r\n", b"It is on its way!\r\n"),
        (b"Subject: Shipped", b"Subject: Stopped"),
        (b"From: Postroom", b"From: Postboom"),
        (b"To: ada@", b"To: eve@"),
        (b"MIME-Version", b"Subject: Another\r\nMIME-Version"),
        (b"MIME-Version", b"Reply-To: eve@evil.example\r\nMIME-Version"),
        (b"MIME-Version", b"From: eve@evil.example\r\nMIME-Version"),
        (b"MIME-Version", b"List-Unsubscribe: <https://evil.example>\r\nMIME-Version"),
        (b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
        (b"t=1", b"t=2"),
    ],
)
def test_a_change_is_noticed(old: bytes, new: bytes) -> None:
    message = signed(new_parcel())
    assert old in message
    assert not is_believed(message.replace(old, new, 1))


def test_what_relays_may_do_is_no_change() -> None:
    message = signed(new_parcel())
    relayed = message.replace(b"Subject: Shipped", b"SUBJECT:\t Shipped  ") + b"\r\n\r\n"
    assert relayed != message
    assert is_believed(b"Received: from a by b; today\r\n" + relayed)


def test_the_same_message_has_the_same_signature() -> None:
    parcel = new_parcel()
    assert signed(parcel) == signed(parcel)
    moment = parcel.resolved_at + dt.timedelta(seconds=1)
    assert sign(build(parcel, DOMAIN), [key()], moment) != signed(parcel)


def test_every_field_is_covered_and_once_more() -> None:
    message = signed(new_parcel(bulk=BULK, unsubscribe_url="https://postroom.example/u/x"))
    head = message.partition(b"\r\n\r\n")[0]
    own = [line.partition(b":")[0].lower().decode() for line in re.split(rb"\r\n(?![ \t])", head)][1:]
    found = re.search(rb" h=([^;]*);", head)
    assert found
    covered = re.sub(rb"\s", b"", found[1]).decode().split(":")
    assert {name: covered.count(name) for name in own} == dict.fromkeys(own, 2)
    assert {"list-unsubscribe", "list-unsubscribe-post", "list-id", "feedback-id", "reply-to"} <= set(own)


def test_two_signatures_are_believed_each() -> None:
    parcel, both = new_parcel(), (Algorithm.RSA, Algorithm.ED25519)
    keys = [key(Algorithm.RSA), key(Algorithm.ED25519, "s2")]
    message = sign(build(parcel, DOMAIN), keys, parcel.resolved_at)
    assert message.count(b"DKIM-Signature: ") == 2
    assert message.index(b"a=rsa-sha256") < message.index(b"a=ed25519-sha256")
    assert is_believed(message, 0, *both)
    assert is_believed(message, 1, *both)
    changed = message.replace(b"on its way", b"on our way", 1)
    assert not is_believed(changed, 0, *both)
    assert not is_believed(changed, 1, *both)
