"""Words that are filled for one person are held to the rules of words, and all of them together to a batch's."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from postroom.contracts.vocabulary import ChannelKind
from postroom.errors import Invalid, TooLarge
from postroom.identity import new_id
from postroom.jobs import batch as rules
from postroom.jobs import wording as module
from postroom.jobs.batch import Batch, Recipient
from postroom.jobs.wording import Wording, Words, find_gaps, sheets
from postroom.notifications.placeholders import INVALID, MISSING, Gap
from postroom.notifications.request import CONTENT_LENGTH, Request


def request(title: str = "Hello", text: str | None = "Good day.", html: str | None = None) -> Request:
    return Request((ChannelKind.IN_APP,), title, body_text=text, body_html=html)


def batch(asked: Request, variables: Sequence[dict[str, Any] | None]) -> Batch:
    return Batch(
        id=new_id(),
        tenant_id=new_id(),
        api_key_id=new_id(),
        request=asked,
        recipients=[Recipient(f"user_{number}", {}, one) for number, one in enumerate(variables)],
        place="/recipients",
        life=timedelta(hours=1),
        fallback_after=timedelta(minutes=1),
    )


def test_only_html_is_escaped() -> None:
    words = Wording.read(request("{{ a }}", "{{ a }}", '<i title="{{ a }}">{{ a }}</i>')).fill({"a": '<b>"O\'N" & co'})
    escaped = "&lt;b&gt;&quot;O&#x27;N&quot; &amp; co"
    assert words == Words('<b>"O\'N" & co', '<b>"O\'N" & co', f'<i title="{escaped}">{escaped}</i>')


@pytest.mark.parametrize(
    ("asked", "variables", "gap"),
    [
        (request("{{ a }}"), {"a": "x\r\nBcc: eve@shop.de"}, Gap(INVALID, "a", "title")),
        (request("{{ a }}{{ b }}"), {"a": "x", "b": "\u2028"}, Gap(INVALID, "b", "title")),
        (request("{{ a }}"), {"a": "x" * 999}, Gap(INVALID, "a", "title")),
        (request("{{ a }}"), {"a": "é" * 600}, Gap(INVALID, "a", "title")),
        (request("{{ a }}{{ a }}"), {"a": "x" * 600}, Gap(INVALID, None, "title")),
        (request("{{ a }}"), {"a": ""}, Gap(INVALID, None, "title")),
        (request(text="{{ a }}"), {"a": ""}, Gap(INVALID, None, "content")),
        (request(text="{{ a }}" * 100), {"a": "x" * (CONTENT_LENGTH // 100 + 1)}, Gap(INVALID, None, "content.text")),
        (
            request(html="{{ a }}" * 100),
            {"a": "<" * (CONTENT_LENGTH // 400 + 1)},
            Gap(INVALID, None, "content.html"),
        ),
        (request(html="{{ a }}{{ c }}"), {"a": "1", "b": "2"}, Gap(MISSING, "c", "content.html")),
    ],
)
def test_what_does_not_fit_is_named(asked: Request, variables: dict[str, Any], gap: Gap) -> None:
    assert Wording.read(asked).fill(variables) == gap


def test_a_body_may_have_lines_and_lose_one_half() -> None:
    assert Wording.read(request(text="{{ a }}")).fill({"a": "x\r\ny"}) == Words("Hello", "x\r\ny")
    assert Wording.read(request(text="{{ a }}", html="<p>")).fill({"a": ""}) == Words("Hello", None, "<p>")
    longest = Wording.read(request(text="{{ a }}" * 100)).fill({"a": "x" * (CONTENT_LENGTH // 100)})
    assert isinstance(longest, Words)
    assert longest.length == CONTENT_LENGTH


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        (request("{{"), "/title"),
        (request(text="{{ a b }}"), "/content/text"),
        (request(html="{{ a | b }}"), "/content/html"),
    ],
)
async def test_a_malformed_one_is_named_by_its_field(asked: Request, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        await find_gaps(batch(asked, [{}]))
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert await find_gaps(batch(asked, [None])) == {}


async def test_whoever_has_no_variables_beside_one_who_has_lacks_them() -> None:
    asked = batch(request("{{ a }}"), [None, {"a": "x"}, {}])
    gap = Gap(MISSING, "a", "title")
    assert await find_gaps(asked) == {"user_0": gap, "user_2": gap}
    assert [words for _, words in next(sheets(asked))] == [Words(), Words("x", "Good day."), Words()]


async def test_what_everybody_is_told_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "COPIED_BYTES", 4_000)
    fitting = [{"a": "é" * 100}, {"a": "x" * 2_000}, {"b": "no"}, {"a": "x" * 1_800}]
    assert set(await find_gaps(batch(request(text="{{ a }}"), fitting))) == {"user_2"}
    with pytest.raises(TooLarge):
        await find_gaps(batch(request(text="{{ a }}"), [*fitting, {"a": "x"}]))
    # What the caller wrote may weigh more than what comes of it.
    asked = request(text="{{ " + "a" * 64 + " }}")
    assert await find_gaps(batch(asked, [{"a" * 64: "x"}] * 70)) == {}


def test_sheets_hold_everybody_once_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHEET", 25 + 3 * module.PLACE)
    asked = batch(request(text="{{ a }}"), [{"a": "x" * 10}] * 7)
    found = list(sheets(asked))
    assert [len(sheet) for sheet in found] == [3, 3, 1]
    assert [person for sheet in found for person, _ in sheet] == asked.recipients
