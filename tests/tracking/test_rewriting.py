"""Links change and nothing else does: what a browser reads is the same, but for where links lead."""

from html.parser import HTMLParser
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.tracking.rewriting import LINKS_LIMIT, Reader, rewrite, target_of, with_pixel

PIXEL = "https://notify.example.com/track/open/x.gif"


class Dom(HTMLParser):
    """What a document holds: tags, attributes and words, with the links apart."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.nodes: list[tuple[str, ...]] = []
        self.links: list[str | None] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(reversed(attrs))  # of two attributes of one name the first counts
        link = names.pop("href", None) if tag == "a" else None
        self.links += [link] if link is not None else []
        self.nodes.append(("tag", tag, *(f"{name}={value}" for name, value in names.items())))

    def handle_endtag(self, tag: str) -> None:
        self.nodes.append(("end", tag))

    def handle_data(self, data: str) -> None:
        self.nodes.append(("words", data))

    def handle_comment(self, data: str) -> None:
        self.nodes.append(("comment", data))


def numbered(html: str, reader: Reader | None = None) -> str:
    """Lead every link that can be followed to a number."""
    numbers = count(1)
    found = (reader or Reader()).places(html)
    return rewrite(html, found, lambda said: target_of(said) and f"https://t.example/{next(numbers)}")


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                '<a href="https://shop.example.com/a?x=1&amp;y=2">',
                "<a class=b href='https://shop.example.com/b'>",
                "<A HREF=https://shop.example.com/c>",
                '<a href = "https://shop.example.com/d" title="2 > 1">',
                "<a href>",
                "<a>",
                '<a name="x"\nhref="#top">',
                '<a href="mailto:ada@shop.de">',
                '<a href="https://first.example.com" href="https://second.example.com">',
                '<a data-href="https://no.example.com">',
                '<abbr href="https://no.example.com">',
                "</a>",
                "<p>",
                "<p title='<a href=\"https://no.example.com\">'>",
                "<p don't>",
                "<br/>",
                '<td width="600"style="x">',
                "<!-- <a href='https://no.example.com'> -->",
                "<!--[if mso]><a href='https://no.example.com'><![endif]-->",
                "<![if !mso]>",
                "<!DOCTYPE html>",
                "<style>a > b { content: \"<a href='https://no.example.com'>\" }</style>",
                "<script>x = '<a href=\"https://no.example.com\">'</script>",
                "2 < 3 & 4 > 1",
                'it\'s "so"',
                "<",
                "&amp;",
            ]
        ),
        st.text("ab <>='\"/!-&;x", max_size=8),
    ),
    max_size=25,
).map("".join)


@given(PIECES)
def test_nothing_but_links_changes(html: str) -> None:
    before, after = Dom(html), Dom(numbered(html))
    assert after.nodes == before.nodes
    assert len(after.links) == len(before.links)
    for was, now in zip(before.links, after.links, strict=True):
        assert was == now or (now or "").startswith("https://t.example/")


@given(PIECES, PIECES)
def test_what_stood_in_the_mail_before_changes_nothing(one: str, other: str) -> None:
    reader = Reader()
    for html in (one, other, one + other, other + one, one):
        assert numbered(html, reader) == numbered(html)


@given(PIECES)
def test_the_image_stands_in_the_body(html: str) -> None:
    body = html.replace("<", "").replace("!", "")
    image = f'<img src="{PIXEL}" width="1" height="1" alt="" style="border:0">'
    assert with_pixel(f"<body>{body}</body></html>", PIXEL) == f"<body>{body}{image}</body></html>"
    assert with_pixel(body, PIXEL) == body + image


def test_a_usual_mail_is_followed_throughout() -> None:
    row = '<tr><td style="padding:1px"><a class="b" href="https://shop.example.com/{0}?a=1&amp;b=2">Buy</a></td></tr>'
    html = f"<!DOCTYPE html><html><body><table>{''.join(row.format(one) for one in range(9))}</table></body></html>"
    found = Reader().places(html)
    assert [target_of(said) for *_, said in found] == [f"https://shop.example.com/{one}?a=1&b=2" for one in range(9)]


def test_no_more_than_so_many_links_are_followed() -> None:
    assert len(Reader().places('<a href="https://shop.example.com/">x</a>' * (LINKS_LIMIT + 1))) == LINKS_LIMIT


@pytest.mark.parametrize(
    "hostile", ["<a " * 50_000, "<!--" * 50_000, "<a x='" * 50_000, "<style>" * 50_000, "&" * 200_000]
)
def test_hostile_html_is_read_in_one_pass(hostile: str) -> None:
    assert Reader().places(hostile) == []


@pytest.mark.parametrize(
    ("said", "target"),
    [
        ("https://shop.example.com", "https://shop.example.com"),
        (" HTTPS://Shop.example.com/a b ", "HTTPS://Shop.example.com/a%20b"),
        ("https://x.de/?a=1&amp;copy=2", "https://x.de/?a=1&copy=2"),
        ("https://x.de/?a=1&copy=2", "https://x.de/?a=1&copy=2"),
        ("https://x.de/&#x41;&#66;", "https://x.de/AB"),
        ("https://x.de/k\u00f6ln", "https://x.de/k%C3%B6ln"),
        ("https://k\u00f6ln.de/", None),
        ("https://ada:pw@x.de/", None),
        ("https://x.de@evil.example/", None),
        ("//x.de/", None),
        ("/path", None),
        ("#top", None),
        ("mailto:ada@shop.de", None),
        ("tel:+49123", None),
        ("javascript:alert(1)", None),
        ("java&#10;script:alert(1)", None),
        ("data:text/html,x", None),
        ("https:\\\\x.de", None),
        ("https://x.de/\r\nSet-Cookie: a=b", None),
        ("https://x.de/&#13;&#10;X: y", None),
        ("https://[x", None),
        ("https://", None),
        ("", None),
    ],
)
def test_what_can_be_followed(said: str, target: str | None) -> None:
    assert target_of(said) == target
