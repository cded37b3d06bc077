"""What is built is what a mail reader reads, byte for byte the same every time."""

import email
import email.policy
import re
from dataclasses import replace
from email.header import decode_header, make_header
from email.message import EmailMessage, MIMEPart
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.channels.base import Enclosure, Parcel
from postroom.channels.email.mime import build
from postroom.errors import Invalid
from postroom.identity import message_id
from tests.channels.email.conftest import DOMAIN, new_parcel

LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=120)
NAME = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="@"), max_size=50)
BODY = st.text(st.characters(exclude_categories=["Cs"]), max_size=400) | st.builds(
    lambda line, times: (line + "\n") * times, LINE, st.integers(0, 30)
)
CONTENT_TYPES = st.sampled_from(["image/png", "application/pdf", "text/plain", "message/rfc822", "multipart/mixed"])
ENCLOSURES = st.lists(
    st.builds(
        Enclosure,
        filename=st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60)
        .map(
            lambda name: name.encode()[:255].decode(errors="ignore").strip()
            # Python's own reader takes a name in angle brackets out of them.
        )
        .filter(lambda name: not (name.startswith("<") and name.endswith(">"))),
        content_type=CONTENT_TYPES,
        content=st.binary(max_size=200),
        content_id=st.none() | st.from_regex(r"[a-z0-9]{1,20}(@[a-z]{1,9})?", fullmatch=True),
    ),
    max_size=3,
)


def read(message: bytes) -> EmailMessage:
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert parsed.defects == []
    return parsed


def lines_of(text: str) -> str:
    """Text with the one line end that a message has."""
    return re.sub("\r\n|\r|\n", "\n", text)


def words_of(part: MIMEPart | None) -> str:
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return lines_of(content)


def assert_is_wire_format(message: bytes) -> None:
    assert message.endswith(b"\r\n")
    assert b"\n" not in message.replace(b"\r\n", b"")
    assert b"\r" not in message.replace(b"\r\n", b"")
    assert max(map(len, message.split(b"\r\n"))) <= 998
    assert message.isascii()


@given(LINE, BODY.filter(bool), BODY.filter(bool), ENCLOSURES)
def test_a_reader_gets_back_exactly_what_was_given(
    title: str, text: str, html: str, enclosures: list[Enclosure]
) -> None:
    parcel = new_parcel(title=title, body_text=text, body_html=html, enclosures=tuple(enclosures))

    message = build(parcel, DOMAIN)

    assert_is_wire_format(message)
    assert build(parcel, DOMAIN) == message
    parsed = read(message)
    assert parsed["Subject"] == title
    assert words_of(parsed.get_body(("plain",))) == lines_of(text)
    assert words_of(parsed.get_body(("html",))) == lines_of(html)
    found = [part for part in parsed.walk() if part.get_content_disposition()]
    inline = [one for one in enclosures if one.content_id]
    expected = [*inline, *(one for one in enclosures if not one.content_id)]
    assert [part.get_payload(decode=True) for part in found] == [one.content for one in expected]
    assert [part.get_filename() or "" for part in found] == [one.filename for one in expected]
    assert [part["Content-ID"] for part in found[: len(inline)]] == [f"<{one.content_id}>" for one in inline]


@given(BODY)
def test_text_alone_is_one_part(text: str) -> None:
    message = build(new_parcel(body_text=text, body_html=None), DOMAIN)

    assert_is_wire_format(message)
    parsed = read(message)
    assert parsed.get_content_type() == "text/plain"
    assert words_of(parsed) in {lines_of(text), lines_of(text) + "\n"}


@given(NAME)
def test_a_senders_name_comes_back(name: str) -> None:
    name = name.strip(" ")
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')

    message = build(new_parcel(sender=f'"{quoted}" <a@example.com>'), DOMAIN)

    assert_is_wire_format(message)
    spelt, address = parseaddr(email.message_from_bytes(message)["From"])
    assert address == "a@example.com"
    assert str(make_header(decode_header(spelt))) == re.sub(" +", " ", name)


def test_the_header(parcel: Parcel) -> None:
    parsed = read(build(parcel, DOMAIN))

    assert parsed["Date"].datetime == parcel.resolved_at
    assert parsed["Message-ID"] == message_id(parcel.delivery_id, DOMAIN)
    assert [parsed["From"], parsed["To"]] == ["Postroom <no-reply@postroom.example>", "ada@example.com"]
    assert parsed["MIME-Version"] == "1.0"
    assert len(parsed.keys()) == len({name.lower() for name in parsed})


def test_the_tree_of_a_full_message() -> None:
    logo = Enclosure("logo.png", "image/png", b"png", "logo")
    invoice = Enclosure("Rechnung Nr. 5 \u2013 März.pdf", "application/pdf", b"pdf")

    parsed = read(build(new_parcel(enclosures=(invoice, logo)), DOMAIN))

    assert [part.get_content_type() for part in parsed.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]


def test_html_alone_gets_a_text_part() -> None:
    parsed = read(build(new_parcel(body_text=None, body_html="<p>Hi <b>Ada</b></p>"), DOMAIN))

    assert words_of(parsed.get_body(("plain",))).strip() == "Hi Ada"


def test_an_inline_image_without_html_is_still_there() -> None:
    logo = Enclosure("logo.png", "image/png", b"png", "logo")

    parsed = read(build(new_parcel(body_html=None, enclosures=(logo,)), DOMAIN))

    assert [part.get_content_type() for part in parsed.walk()] == ["multipart/mixed", "text/plain", "image/png"]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 5_000,
        "a\n.\nb\n..\n",
        "a\rb",
        "nul \0, bell \a, escape \x1b, tab \v, delete \x7f",
        "dot\n.",
        " \n",
        "=\n=20",
    ],
    ids=ascii,
)
def test_a_text_that_would_not_pass_a_server_is_encoded(text: str) -> None:
    message = build(new_parcel(body_text=text), DOMAIN)

    assert_is_wire_format(message)
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", message)
    assert words_of(read(message).get_body(("plain",))) == lines_of(text)


def test_plain_ascii_stays_readable_in_the_source(parcel: Parcel) -> None:
    assert b"\r\n\r\nIt is on its way.\r\n" in build(parcel, DOMAIN)


def test_a_text_that_knows_the_boundary_cannot_end_its_part(parcel: Parcel) -> None:
    text = f"--=_alternative_{parcel.delivery_id.hex}--\n\nsmuggled"

    parsed = read(build(replace(parcel, body_text=text), DOMAIN))

    assert words_of(parsed.get_body(("plain",))) == text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"title": "Hi\r\nBcc: x@evil.example"}, "header_injection"),
        ({"title": "é" * 500}, "header_too_long"),
        ({"sender": "X\r\nBcc: a@e <a@example.com>"}, "header_injection"),
        ({"enclosures": (Enclosure("a\r\nb", "image/png", b""),)}, "header_injection"),
        ({"enclosures": (Enclosure("a", "image/png\r\nX: y", b""),)}, "header_injection"),
        ({"enclosures": (Enclosure("a", "image/png", b"", "x>\r\ny"),)}, "header_injection"),
        ({"body_text": "half \ud83d"}, "invalid_text"),
        ({"body_html": "half \ud83d"}, "invalid_text"),
    ],
)
def test_what_cannot_be_spelt_safely_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        build(new_parcel(**changes), DOMAIN)
    assert refused.value.code == code


def test_a_way_out_stands_in_the_header() -> None:
    url = "https://notify.example.com/u/" + "A" * 800
    told = read(build(new_parcel(unsubscribe_url=url), DOMAIN))
    assert (told["List-Unsubscribe"], told["List-Unsubscribe-Post"]) == (f"<{url}>", "List-Unsubscribe=One-Click")
    assert not any(name.startswith("List-") for name in read(build(new_parcel(), DOMAIN)))
