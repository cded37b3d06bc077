"""What a script says: values in their places, filters in a language, and troubles with their places."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.notifications.placeholders import Form, Gap, look_up
from postroom.rendering.limits import OUTPUT
from postroom.rendering.scripts import Script
from postroom.rendering.speech import Words
from postroom.rendering.stage import Stage
from postroom.rendering.trouble import Code, Trouble

STAGE = Stage()


def played(field: str, source: str, language: str = "en", zone: str | None = None, **values: Any) -> Words | Trouble:
    script = Script.compile(STAGE, {field: source} if field != "title" else {"title": source, "text": "."})
    if isinstance(script, Trouble):
        return script
    STAGE.speak(language, zone)
    return script.play(STAGE, values)


def said(field: str, source: str, *tongue: str, **values: Any) -> str:
    words = played(field, source, *tongue, **values)
    assert isinstance(words, Words), words
    return words.title or words.html or words.text or ""


HOSTILE = "<script>alert('1')</script>"


@pytest.mark.parametrize(
    ("field", "source", "value", "expected"),
    [
        ("html", "<p>{{ x }}</p>", HOSTILE, "<p>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;</p>"),
        ("html", '<p title="{{ x }}">.</p>', '" onload="', '<p title="&#34; onload=&#34;">.</p>'),
        (
            "html",
            '<a href="{{ x }}">.</a>',
            "https://a.example/b?c=d&e",
            '<a href="https://a.example/b?c=d&amp;e">.</a>',
        ),
        ("html", '<a href="{{ x }}">.</a>', "javascript:alert(1)", '<a href="about:blank">.</a>'),
        ("html", '<a href="{{ x }}">.</a>', " jAvA\tscript\n:alert(1)", '<a href="about:blank">.</a>'),
        ("html", '<a href="{{ x }}">.</a>', "data:text/html,x", '<a href="about:blank">.</a>'),
        ("html", '<a href="{{ x }}">.</a>', "/orders/1", '<a href="/orders/1">.</a>'),
        ("html", '<img src="{{ x }}">', "vbscript:x", '<img src="about:blank">'),
        (
            "html",
            '<a href="https://a.example/{{ x }}">.</a>',
            "b c/d?e",
            '<a href="https://a.example/b%20c/d%3Fe">.</a>',
        ),
        (
            "html",
            '<a href="https://a.example/?q={{ x }}">.</a>',
            "a&b=c d",
            '<a href="https://a.example/?q=a%26b%3Dc%20d">.</a>',
        ),
        ("html", '<a href="/?q={{ x | urlencode }}">.</a>', "a b", '<a href="/?q=a%20b">.</a>'),
        (
            "html",
            '<a href="{% if no %}https:{% endif %}{{ x }}">.</a>',
            "javascript:x",
            '<a href="javascript%3Ax">.</a>',
        ),
        (
            "html",
            '<p style="color: {{ x }}">.</p>',
            "red; background: url(//e)",
            '<p style="color: red background urle">.</p>',
        ),
        ("text", "{{ x }}", HOSTILE, HOSTILE),
        ("title", "{{ x }}", HOSTILE, HOSTILE),
        ("mjml", "<mjml><mj-body><mj-raw>{{ x }}</mj-raw></mj-body></mjml>", "<mj-include>", "&lt;mj-include&gt;"),
    ],
)
def test_a_value_is_harmless_where_it_stands(field: str, source: str, value: str, expected: str) -> None:
    assert expected in said(field, source, x=value, no=False)


@pytest.mark.parametrize("value", ["a\r\nBcc: x@evil.example", "a\nb", "a\x00b", "a\u2028b", "x" * 70_000, "", "  "])
def test_a_title_is_one_short_line(value: str) -> None:
    trouble = played("title", "{{ x }}", x=value)
    assert isinstance(trouble, Trouble)
    assert (trouble.code, trouble.field) == (Code.TITLE, "title")


@pytest.mark.parametrize(
    ("source", "language", "expected"),
    [
        ("{{ 1234.5 | currency('EUR') }}", "de", "1.234,50\xa0€"),
        ("{{ '1234.5' | currency('JPY') }}", "en", "¥1,234"),
        ("{{ 1234.5 | currency('CNY') }}", "zh-CN", "¥1,234.50"),
        ("{{ 1234567.891 | number }}", "en", "1,234,567.891"),
        ("{{ 1234567.891 | number(1) }}", "fr", "1\u202f234\u202f567,9"),
        ("{{ 0.256 | percent }}", "en", "26%"),
        ("{{ 0.256 | percent(1) }}", "en", "25.6%"),
        ("{{ 0.256 | percent }}", "de", "26\xa0%"),
        ("{{ 1234567 | number(2) }}", "hi", "12,34,567.00"),
        ("{{ '2026-11-20' | date }}", "en", "Nov 20, 2026"),
        ("{{ '2026-11-20' | date('long') }}", "de", "20. November 2026"),
        ("{{ '2026-11-20T23:30:00Z' | date('yyyy-MM-dd') }}", "en", "2026-11-21"),
        ("{{ '2026-11-20T23:30:00Z' | time }}", "de", "00:30"),
        ("{{ '2026-11-20T23:30:00' | time }}", "de", "23:30"),
        ("{{ 1795217400 | datetime('short') }}", "de", "21.11.26, 00:30"),
        ("{{ 1 | plural('item', 'items') }} {{ 2 | plural('item', 'items') }}", "en", "item items"),
        ("{{ 5 | plural(one='plik', few='pliki', many='plików', other='pliku') }}", "pl", "plików"),
        ("item{{ 1 | pluralize }} item{{ 3 | pluralize }}", "en", "item items"),
        ("{{ 1 | currency('EUR') }}", "xx-Nobody", "€1.00"),
        ("{{ 'ada' | upper }}{{ 'ADA' | lower }}{{ 'ada l' | title }}{{ 'aDA' | capitalize }}", "en", "ADAadaAda LAda"),
        ("{{ '  a ' | trim }}|{{ 'one two three' | truncate(8) }}", "en", "a|one two…"),
        ("{{ nobody | default('you') }}{{ nothing | default('!') }}{{ '' | default('?', true) }}", "en", "you!?"),
        ("{{ nobody.name | default('you') }}{{ 'b' if nobody is defined else 'c' }}", "en", "youc"),
        ("{{ [3, 1] | first }}{{ [3, 1] | last }}{{ [3, 1] | length }}{{ ['a', 'b'] | join(', ') }}", "en", "312a, b"),
        ("{{ 2.567 | round(1) }} {{ 2.5 | round }} {{ '7' | int + 1 }} {{ -3 | abs }}", "en", "2.6 2 8 3"),
        (
            "{% for k, v in pairs | items %}{{ loop.index }}{{ k }}{{ v }}{{ ',' if not loop.last }}{% endfor %}",
            "en",
            "1a1,2b2",
        ),
        ("{% for a in [] %}x{% else %}none{% endfor %}", "en", "none"),
        ("{% if total > 10 and 'a' in ['a'] %}much{% elif total %}some{% else %}none{% endif %}", "en", "some"),
        ("{% set tax = total * 2 %}{{ tax }} {{ total / 2 }} {{ 'a' ~ total }} {{ true }}", "en", "14 3.5 a7 true"),
    ],
)
def test_filters_speak_the_language(source: str, language: str, expected: str) -> None:
    assert said("text", source, language, "Europe/Berlin", nothing=None, total=7, pairs={"a": 1, "b": 2}) == expected


@pytest.mark.parametrize(
    ("source", "line", "column", "variable"),
    [
        ("Dear {{ nam }}", 1, 9, "nam"),
        ("nam\n {{ name }}, {{ order.numbr }}", 2, 23, "numbr"),
        ("\n\n{{ name | uper }}", 3, 11, "uper"),
        ("\n {% if name %}", 2, 2, None),
    ],
)
def test_a_trouble_names_its_place(source: str, line: int, column: int, variable: str | None) -> None:
    trouble = played("text", source, name="Ada", order={"number": 1})
    assert isinstance(trouble, Trouble)
    assert (trouble.field, trouble.line, trouble.column, trouble.variable) == ("text", line, column, variable)
    assert "Ada" not in trouble.detail


def test_a_place_in_mjml_is_a_place_in_its_own_source() -> None:
    column = "<mj-column>\n<mj-text>{{ nobody }}</mj-text></mj-column>"
    source = f"<mjml>\n<mj-body><mj-section>{column}</mj-section></mj-body></mjml>"
    trouble = played("mjml", source)
    assert isinstance(trouble, Trouble)
    assert (trouble.line, trouble.column) == (3, 13)


def test_a_template_may_ask_for_any_name_but_sees_only_what_it_was_given() -> None:
    for name in ("config", "env", "request", "environment", "context", "range", "dict"):
        trouble = played("text", f"{{{{ {name} }}}}", name="Ada")
        assert isinstance(trouble, Trouble)
        assert trouble.code == Code.UNDEFINED


JSON_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(
    value=JSON_TEXTS | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
)
def test_a_plain_placeholder_says_what_it_says_in_a_batch(value: object) -> None:
    form, stored = Form.read("Dear {{ name }}!"), json.loads(json.dumps(value))
    expected = look_up({"name": stored}, "name")
    assert not isinstance(expected, Gap)
    assert said("text", "Dear {{ name }}!", name=stored) == form.fill({"name": expected})


PIECES = [
    "{{ x }}",
    "{% for a in xs %}{{ x }}{% endfor %}",
    "{% for a in xs %}{% for b in xs %}{{ x }}{% endfor %}{% endfor %}",
]
PIECES += [
    "{% set x = x ~ x %}",
    "{{ x | upper }}",
    "{{ xs | join(x) }}",
    "{% if xs %}{{ x | escape }}{% endif %}",
    "text ",
]


@given(
    pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=12),
    field=st.sampled_from(["text", "html"]),
    x=st.sampled_from(["", "<", "word " * 50, "&" * 20_000]),
    count=st.integers(0, 300),
)
def test_no_text_grows_beyond_its_bounds(pieces: list[str], field: str, x: str, count: int) -> None:
    words = played(field, "".join(pieces), x=x, xs=["y"] * count)
    if isinstance(words, Words):
        assert len(words.text or words.html or "") <= OUTPUT
    else:
        assert words.code in {Code.TOO_LARGE, Code.VALUE}
