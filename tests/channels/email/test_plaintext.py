"""The text derived from HTML says what the HTML says, and a hostile page costs no more than a long one."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.channels.email.plaintext import INPUT_LIMIT, plain_text
from tests.channels.email import slow_plaintext

PIECES = [
    "<",
    ">",
    "a",
    " ",
    "<p>",
    "</p>",
    "<br>",
    "<li>",
    "<td>",
    "<!--",
    "-->",
    "</",
    "&",
    "&amp;",
    ";",
    '"',
    "\n",
    "\u2003",
    "<a ",
    "<a href='https://x.example'>",
    "<a href=https://x.example/?a&amp;b>",
    '<A HREF="mailto:a@b\n.de">',
    "</a>",
    "</A>",
    "https://x.example",
    "<b>",
    "<img alt=' x &amp;amp; y'>",
    "<style>",
    "</style>",
    "<script",
    "</script>",
    "<!x>",
    "words",
]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hello &amp; welcome</p><p>Bye</p>", "Hello & welcome\n\nBye"),
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<head><title>no</title><style>p { color: red }</style></head><body>yes</body>", "yes"),
        ("a<script>if (a < b) { c('</p>') }</script>b", "ab"),
        ("a<!-- no <b>x</b> -->b", "ab"),
        ('<a href="https://x.example/?a=1&amp;b=2">here</a>', "here (https://x.example/?a=1&b=2)"),
        ("<a href='https://x.example'>https://x.example</a>", "https://x.example"),
        ('<a href="javascript:alert(1)">click</a>', "click"),
        ('<img alt="Our logo" src="cid:logo"> hi', "Our logo hi"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("3 < 4 and 5 > 4", "3 < 4 and 5 > 4"),
        ("  spaced \n\t out  ", "spaced out"),
        ("&#" + "9" * 5000 + ";", "&#" + "9" * 5000 + ";"),
        ("", ""),
    ],
)
def test_words_and_links(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    "piece", ["<", "<a ", "<!--", "<![CDATA[", "<a x='", "<!", "</", "<script>", "a<b>", "&#9", "<a href=", " "]
)
def test_a_hostile_page_takes_no_longer_than_its_length(piece: str) -> None:
    started = time.process_time()
    plain_text((piece * INPUT_LIMIT)[: INPUT_LIMIT * 2])
    assert time.process_time() - started < 2  # the interpreter's parser needs minutes for several of these


@given(
    st.text() | st.lists(st.sampled_from(["<", ">", "a", "<p>", "<!--", "-->", "</", "&", ";", '"', "\n"])).map("".join)
)
def test_it_never_raises(html: str) -> None:
    assert plain_text(html) == plain_text(html).strip()


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40).map("".join))
def test_it_says_what_the_slow_one_says(html: str) -> None:
    assert plain_text(html) == slow_plaintext.plain_text(html)
    again = f"<a href='x'>one</a>{html}"  # behind a link, where what was read before is remembered
    assert plain_text(again) == plain_text(again) == slow_plaintext.plain_text(again)
