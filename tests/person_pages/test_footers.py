"""Marketing mail shows its reader how to leave, whatever its words are."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from postroom.channels.base import Parcel
from postroom.person_pages.footers import with_footer
from postroom.rendering.speech import Words

LEAVE, CHOOSE = "https://mail.example.com/u/AbC", "https://mail.example.com/p/AbC"
OFFER = Parcel(
    delivery_id=UUID(int=1),
    notification_id=None,
    tenant_id=UUID(int=2),
    address="ada@example.org",
    sender="shop@example.com",
    resolved_at=datetime(2026, 11, 20, tzinfo=UTC),
    unsubscribe_url=LEAVE,
    preferences_url=CHOOSE,
)


def test_both_links_stand_last_in_either_part() -> None:
    told = with_footer(OFFER, Words("Spring", "Buy.\n", "<html><body><p>Buy.</p></body></html>"), "en")
    assert told.title == "Spring"
    assert told.text == f"Buy.\n\nUnsubscribe: {LEAVE}\nChoose what reaches you: {CHOOSE}\n"
    assert told.html is not None
    assert told.html.startswith("<html><body><p>Buy.</p><p style=")
    assert told.html.endswith(
        f'<a href="{LEAVE}">Unsubscribe</a> | <a href="{CHOOSE}">Choose what reaches you</a></p></body></html>'
    )


@pytest.mark.parametrize("link", [LEAVE, CHOOSE])
def test_a_part_that_names_one_of_them_stays_as_it_is(link: str) -> None:
    html = f'<p>Buy. <a href="{link}">Leave</a></p>'
    told = with_footer(OFFER, Words(None, f"Buy, or leave: {link}", html), "en")
    assert told == Words(None, f"Buy, or leave: {link}", html)
    half = with_footer(OFFER, Words(None, "Buy.", html), "en")
    assert half.html == html
    assert half.text is not None
    assert LEAVE in half.text


def test_a_part_that_is_not_there_is_not_made() -> None:
    assert with_footer(OFFER, Words(None, None, "<p>Buy.</p>"), None).text is None
    assert with_footer(OFFER, Words(None, "Buy.", None), None).html is None


@pytest.mark.parametrize(
    ("language", "word"),
    [("de", "Abbestellen"), ("de-AT", "Abbestellen"), ("fr", "Unsubscribe"), (None, "Unsubscribe")],
)
def test_it_speaks_the_language_of_the_words_as_far_as_the_pages_do(language: str | None, word: str) -> None:
    told = with_footer(OFFER, Words(None, "Buy.", "<p>Buy.</p>"), language)
    assert f">{word}</a>" in str(told.html)
    assert f"\n{word}: " in str(told.text)


def test_what_is_no_marketing_stays_as_it_is() -> None:
    words = Words("Your order", "It is on its way.", "<p>It is on its way.</p>")
    assert with_footer(replace(OFFER, unsubscribe_url=None, preferences_url=None), words, "en") is words
