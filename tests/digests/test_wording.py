"""What a digest says, in the person's language and by their clock, whatever the items contain."""

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.digests.items import TEXT_LIMIT, Line
from postroom.digests.telling import tell
from postroom.digests.wording import Reader, word
from postroom.identity import NOTIFICATION, new_id, public_id

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
ITEM = {"notification_id": new_id(), "created_at": AT, "title": None, "body_text": None, "body_html": None}


def line(title: str | None = "Parcel A-1 is on its way", text: str | None = "It comes on Monday.") -> Line:
    return Line(new_id(), AT, title, text)


class Elements(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.words = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the parser's
        self.names.add(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def test_english() -> None:
    words = word(Reader("order_shipped", "en-GB", "Europe/Paris"), [line(), line(None, None)], 7)
    assert words.title == "7 updates about order_shipped"
    assert words.text == (
        "The earliest first:\n\n"
        "20 Nov 2026, 09:30\nParcel A-1 is on its way\nIt comes on Monday.\n\n"
        "20 Nov 2026, 09:30\norder_shipped\n\n"
        "... and 5 more\n"
    )


def test_german() -> None:
    words = word(Reader("order_shipped", "de-AT", "Asia/Tokyo"), [line()], 1)
    assert words.title == "1 Neuigkeit zu order_shipped"
    assert "20.11.2026, 17:30\n" in words.text
    assert '<html lang="de">' in words.html
    assert "weitere" not in words.text + words.html


@pytest.mark.parametrize("zone", [None, "Mars/Olympus"])
def test_where_no_clock_is_known_it_is_told_in_utc(zone: str | None) -> None:
    assert "Nov 20, 2026, 8:30\u202fAM UTC" in word(Reader("order_shipped", "fr", zone), [line()], 1).text


@given(st.text(), st.text(), st.text())
def test_no_item_becomes_markup(title: str, text: str, kind: str) -> None:
    page = Elements()
    page.feed(word(Reader(kind), [line(title or None, text or None)], 2).html)
    assert page.names == {"html", "body", "div", "h1", "p"}


def test_markup_is_told_as_words() -> None:
    page = Elements()
    page.feed(word(Reader("<b>"), [line("<script>alert(1)</script>", "a & b")], 1).html)
    assert "<script>alert(1)</script>" in page.words
    assert "1 update about <b>" in page.words


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"title": " Two\nlines ", "body_text": "a\r\n  b"}, ("Two lines", "a b")),
        ({"body_html": "<p>Only <b>a page</b></p>"}, (None, "Only a page")),
        ({"body_text": "x" * 1000}, (None, "x" * (TEXT_LIMIT - 1) + "…")),
        ({}, (None, None)),
    ],
)
def test_an_item_is_one_line(item: dict[str, str], expected: tuple[str | None, str | None]) -> None:
    found = Line.of(ITEM | item)
    assert (found.title, found.text) == expected


def test_a_template_is_given_the_items() -> None:
    template, one = new_id(), line()
    reader = {"template_id": template, "template_version": 3, "declared": [], "shared": None}
    telling = tell(reader, [one], 9)
    assert (telling.title, telling.text, telling.html, telling.template_id, telling.version) == (
        None,
        None,
        None,
        template,
        3,
    )
    assert telling.variables is not None
    assert telling.variables.obj == {
        "count": 9,
        "overflow": 8,
        "items": [
            {
                "title": "Parcel A-1 is on its way",
                "text": "It comes on Monday.",
                "created_at": "2026-11-20T08:30:00+00:00",
                "notification_id": public_id(NOTIFICATION, one.notification_id),
            }
        ],
    }
