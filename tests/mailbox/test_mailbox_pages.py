"""The mailbox in a browser: nothing a sender writes runs, fetches or escapes, and other sites cannot look in."""

import base64
import re
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.mailbox.opened import open_letter
from postroom.mailbox.process import Mailbox
from tests.mailbox.dialogue import Dialogue, mail

SCRIPT = "<script>alert(1)</script>"
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
HOSTILE_HTML = (
    '<meta http-equiv="refresh" content="0;url=//evil.example"><BASE href="//evil.example/">'
    "<link rel=preconnect href='//evil.example'><iframe src='//evil.example'></iframe><FRAME src=x>"
    "<img src='cid:logo@x'><img src=\"cid:missing@x\">"
    f'{SCRIPT}<a href="https://shop.example/?a=1&amp;b=2">go</a><a href="javascript:alert(1)">no</a>'
)
RICH = f"""MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/related; boundary=inner

--inner
Content-Type: text/html; charset=utf-8

{HOSTILE_HTML}
--inner
Content-Type: image/png
Content-ID: <logo@x>
Content-Transfer-Encoding: base64

{PICTURE}
--inner--
--outer
Content-Type: text/html; name="page.html"
Content-Disposition: attachment; filename="../../<b>evil</b>.html"

{SCRIPT}
--outer
Content-Type: image/svg+xml
Content-Disposition: inline; filename="drawing.svg"

<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>
--outer--
"""


def rich_mail() -> bytes:
    return (f"Message-ID: <rich@x>\nSubject: {SCRIPT}\nX-Evil: {SCRIPT}\n" + RICH).replace("\n", "\r\n").encode()


@pytest.fixture
async def rich(mailbox: Mailbox) -> str:
    async with Dialogue.open(mailbox.smtp_port) as client:
        await client.send(rich_mail())
    return "/messages/1"


def policy(answer: httpx2.Response) -> dict[str, str]:
    directives = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in directives}


@pytest.mark.parametrize("view", ["", "?view=html", "?view=text", "?view=headers", "?view=files", "?view=source"])
async def test_pages_run_nothing_of_a_senders(page: httpx2.AsyncClient, rich: str, view: str) -> None:
    for path in ("/", rich + view):
        answer = await page.get(path)
        assert answer.status_code == 200
        rules = policy(answer)
        assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
        assert rules["script-src"] == rules["style-src"] == rules["img-src"] == "'self'"
        assert SCRIPT not in answer.text
        assert not re.search(r"<[^>]+\s(on\w+|style)=", answer.text)
        assert set(re.findall(r"<script\b[^>]*>", answer.text)) <= {'<script src="/static/inbox.js" defer>'}
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


async def test_the_html_of_a_mail_is_confined_even_in_a_tab_of_its_own(page: httpx2.AsyncClient, rich: str) -> None:
    shown = await page.get(rich)
    assert '<iframe sandbox="" src="/messages/1/html"' in shown.text
    assert 'href="https://shop.example/?a=1&amp;b=2"' in shown.text
    assert "javascript:" not in shown.text
    answer = await page.get(f"{rich}/html")
    assert policy(answer) == {
        "sandbox": "",
        "default-src": "'none'",
        "img-src": "'self' data:",
        "style-src": "'unsafe-inline'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'self'",
    }
    assert not re.search(r"<(meta|base|link|iframe|frame)\b", answer.text, re.IGNORECASE)
    assert "src='/messages/1/parts/1'" in answer.text
    assert 'src="cid:missing@x"' in answer.text


async def test_files_are_saved_and_only_pictures_shown(page: httpx2.AsyncClient, rich: str) -> None:
    logo, html, svg = [await page.get(f"{rich}/parts/{number}") for number in (1, 2, 3)]
    assert logo.content == base64.b64decode(PICTURE)
    assert (logo.headers["content-type"], logo.headers["content-disposition"][:6]) == ("image/png", "inline")
    for answer in (html, svg):
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert policy(answer)["sandbox"] == ""
    assert html.headers["content-disposition"].endswith("''.._.._%3Cb%3Eevil%3C_b%3E.html")
    saved = await page.get(f"{rich}/parts/1?download")
    assert saved.headers["content-disposition"].startswith("attachment;")
    for nothing in ("0", "4", "x", "9" * 5_000):
        assert (await page.get(f"{rich}/parts/{nothing}")).status_code == 404


async def test_the_api_tells_a_message_apart(page: httpx2.AsyncClient, rich: str) -> None:
    message: dict[str, Any] = (await page.get("/api" + rich)).json()
    assert message["subject"] == SCRIPT
    assert message["recipients"] == ["ada@example.org"]
    assert message["html"].strip() == HOSTILE_HTML.strip()
    assert message["text"] is None
    assert [file["filename"] for file in message["attachments"]] == ["part-1", ".._.._<b>evil<_b>.html", "drawing.svg"]
    assert ["X-Evil", SCRIPT] in message["headers"]
    assert [copy["size"] for copy in message["copies_received"]] == [len(rich_mail())]
    raw = await page.get(f"/api{rich}/raw")
    assert raw.content == rich_mail()
    assert raw.headers["content-type"] == "message/rfc822"
    assert raw.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:80", "[::2]:80"]
)
async def test_other_names_are_refused(page: httpx2.AsyncClient, host: str) -> None:
    for path in ("/", "/api/messages", "/health", "/static/mailbox.css"):
        answer = await page.get(path, headers={"Host": host})
        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid_host"


@pytest.mark.parametrize("host", ["localhost:8025", "127.0.0.1", "[::1]:8025", "LOCALHOST"])
async def test_own_names_are_served(page: httpx2.AsyncClient, host: str) -> None:
    assert (await page.get("/health", headers={"Host": host})).status_code == 200


async def test_the_list_is_paged_filtered_and_searched(mailbox: Mailbox, page: httpx2.AsyncClient) -> None:
    async with Dialogue.open(mailbox.smtp_port) as client:
        for number in range(7):
            await client.send(mail(f"<{number}@x>", subject=f"Order {number} 100%"), to=f"user_{number}@example.org")
    seen, cursor = [], ""
    while cursor is not None:
        answer = (await page.get(f"/api/messages?limit=3{cursor and '&cursor=' + cursor}")).json()
        seen += [message["message_id"] for message in answer["messages"]]
        cursor = answer["next_cursor"]
    assert seen == [f"<{number}@x>" for number in reversed(range(7))]

    async def found(query: str) -> int:
        return len((await page.get(f"/api/messages?{query}")).json()["messages"])

    assert [await found(query) for query in ("to=USER_3@", "subject=order+5", "to=user%253", "subject=_")] == [
        1,
        1,
        0,
        0,
    ]
    assert [await found(query) for query in ("subject=100%25", "to=user_1&subject=Order+2", "to=x%27--")] == [7, 0, 0]
    for wrong in ("limit=0", "limit=201", "limit=x", "cursor=x", "cursor=-1", "limit=" + "9" * 99):
        assert (await page.get(f"/api/messages?{wrong}")).status_code == 422
    searched = await page.get("/?q=user_3")
    assert (searched.text.count('class="row"'), searched.text.count("user_3@example.org")) == (1, 1)
    assert "Nothing matches" in (await page.get("/?q=zzz")).text
    assert (await page.get("/?before=x&q=")).status_code == 200


async def test_the_page_asks_cheaply_until_something_comes(mailbox: Mailbox, page: httpx2.AsyncClient) -> None:
    empty = await page.get("/")
    assert "No mail yet" in empty.text
    assert f"127.0.0.1:{mailbox.smtp_port}" in empty.text
    known = {"If-None-Match": empty.headers["etag"]}
    assert (await page.get("/", headers=known)).status_code == 304
    async with Dialogue.open(mailbox.smtp_port) as client:
        await client.send(mail("<one@x>"))
        fresh = await page.get("/", headers=known)
        assert fresh.status_code == 200
        await client.send(mail("<one@x>", "other bytes"))
        again = await page.get("/", headers={"If-None-Match": fresh.headers["etag"]})
    assert "2 copies" in again.text
    assert "not all alike" in (await page.get("/messages/1")).text
    await page.delete("/api/messages")
    assert (await page.get("/", headers={"If-None-Match": again.headers["etag"]})).status_code == 200


async def test_what_is_not_there_is_said_politely(page: httpx2.AsyncClient) -> None:
    for path in ("/messages/1", "/messages/x", "/messages/" + "9" * 5_000, "/nothing"):
        answer = await page.get(path)
        assert answer.status_code == 404
        assert "Return to sender" in answer.text
    answer = await page.get("/api/messages/7")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await page.post("/api/messages")).status_code == 405


NASTY = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.sampled_from(
            [
                b"Content-Type: multipart/mixed; boundary=b\r\n",
                b'Content-Type: text/html; charset="\xff"\r\n',
                b"Content-Type: text/plain; charset=utf-7\r\n",
                b"Content-Type: text/plain; charset=undefined\r\n",
                b"Content-Type: message/rfc822\r\n",
                b"Content-Disposition: attachment; filename*=utf-9''%FF%00\r\n",
                b"Content-Disposition: attachment; filename*0*=x''%ff; filename*1=b\r\n",
                b"Content-Transfer-Encoding: base64\r\n",
                b"Content-Transfer-Encoding: x-uuencode\r\n",
                b"Subject: =?utf-8?b?/w?= =?x?q?=ff?= =?utf-7?q?+2AA-?=\r\n",
                b"Content-ID: <\xff>\r\n",
                b": nameless\r\n",
                b"\r\n",
                b"--b\r\n",
                b"--b--\r\n",
                b"+2AA-AA=\x00\xff====\r\n",
            ]
        ),
        max_size=25,
    ).map(b"".join),
)


@given(raw=NASTY)
@settings(deadline=None)
def test_any_bytes_can_be_opened(raw: bytes) -> None:
    opened = open_letter(raw)
    spelled = [opened.text or "", opened.html or "", *(part.filename for part in opened.files)]
    spelled += [text for header in opened.headers for text in header]
    assert "".join(spelled).encode() is not None
    opened.html_with_pictures("/messages/1/parts/")
    assert all(link.startswith(("http://", "https://", "mailto:")) for link in opened.links())


def test_a_thousandfold_nested_mail_is_opened_as_far_as_it_goes() -> None:
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(2_000)
    )
    opened = open_letter(b"Subject: deep\r\n" + nested)
    assert opened.headers[0] == ("Subject", "deep")
