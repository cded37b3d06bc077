"""The text derived from HTML says what the HTML says, and a hostile page costs no more than a long one."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.channels.email.plaintext import INPUT_LIMIT, plain_text


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
