"""Nothing that a caller writes can end a header line or pose as another address."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.channels.email.headers import (
    check_content_id,
    check_content_type,
    check_display_name,
    check_filename,
    check_subject,
    spell_unsubscribe,
)
from postroom.errors import Invalid

CHECKS = [check_subject, check_display_name, check_filename, check_content_id, check_content_type]
BREAKING = ["\r\nBcc: x", "\n", "\r", "\x00", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("bad", BREAKING, ids=ascii)
def test_no_sign_that_ends_a_line(check: Callable[[str], str], bad: str) -> None:
    for text in (bad, f"a{bad}b", f"image/png{bad}"):
        with pytest.raises(Invalid) as refused:
            check(text)
        assert refused.value.code == "header_injection"


@pytest.mark.parametrize(
    ("check", "limit"),
    [(check_subject, 998), (check_display_name, 200), (check_filename, 255), (check_content_id, 200)],
)
def test_lengths_are_counted_in_bytes(check: Callable[[str], str], limit: int) -> None:
    assert check("x" * limit) == "x" * limit
    for text in ("x" * (limit + 1), "é" * (limit // 2 + 1), "x" * 70_000):
        with pytest.raises(Invalid) as refused:
            check(text)
        assert refused.value.code == "header_too_long"


def test_a_display_name_poses_as_no_address() -> None:
    with pytest.raises(Invalid, match="@"):
        check_display_name("ceo@paypal.com")


@pytest.mark.parametrize("text", ["", "a b", "<a>", "a>b", "a@b@c", "a\tb", "ä"])
def test_a_content_id_is_one_word(text: str) -> None:
    with pytest.raises(Invalid):
        check_content_id(text)


@pytest.mark.parametrize("text", ["", "text", "text/", "text/html; charset=x", "text/ht ml", "/", "a/b/c", "text/ḧtml"])
def test_a_content_type_is_a_type_and_a_subtype(text: str) -> None:
    with pytest.raises(Invalid):
        check_content_type(text)


@given(st.sampled_from(CHECKS), st.text(max_size=60))
def test_what_passes_is_unchanged_and_printable(check: Callable[[str], str], text: str) -> None:
    try:
        passed = check(text)
    except Invalid:
        return
    assert passed.casefold() == text.casefold()
    assert not any(ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 for sign in passed)


def test_one_click_needs_https() -> None:
    """RFC 8058 section 3.1; without it there is the link of RFC 2369, for people."""
    assert spell_unsubscribe("https://notify.example.com/u/abc") == (
        "List-Unsubscribe: <https://notify.example.com/u/abc>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    )
    assert spell_unsubscribe("http://127.0.0.1:8000/u/abc") == "List-Unsubscribe: <http://127.0.0.1:8000/u/abc>\r\n"
    assert spell_unsubscribe(None) == ""
