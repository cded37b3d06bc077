"""Every hostile template we know of, and what becomes of it: refused before it is kept, or stopped at work."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from postroom.rendering.inspection import RenderingInspector
from postroom.rendering.renderer import Renderer
from postroom.rendering.speech import Line, Words
from postroom.rendering.trouble import Code, Trouble
from postroom.templates.content import Content, Script, Variant

LONG = "x" * 1_000
MANY = list(range(10_000))

# Row of the threat list, what it tries, the field and the source; and the code it is refused with before it is kept.
AT_SAVE = [
    ("19-class", "text", "{{ ''.__class__.__mro__ }}", Code.UNSAFE),
    ("19-subscript", "text", "{{ ''['__class__'] }}", Code.UNSAFE),
    ("19-attr-filter", "text", "{{ ''|attr('format') }}", Code.UNSAFE),
    ("19-format-map", "text", "{{ '{0.__class__}'.format_map({}) }}", Code.UNSAFE),
    ("19-cycler", "text", "{{ cycler.__init__.__globals__ }}", Code.UNSAFE),
    ("19-lipsum", "text", "{{ lipsum.__globals__['os'] }}", Code.UNSAFE),
    ("19-self", "text", "{{ self.__init__ }}", Code.UNSAFE),
    ("19-CVE-2016-10745", "text", "{{ '{0.__class__.__base__}'.format(42) }}", Code.UNSAFE),
    ("19-CVE-2019-10906", "text", "{{ '{x.__class__}'.format_map({'x': 1}) }}", Code.UNSAFE),
    # A reference to str.format is stored and called elsewhere, past the interception of direct calls.
    (
        "19-CVE-2024-56326",
        "text",
        "{% set f = '{0.__class__.__init__}'.format %}{{ [1]|map(f)|list }}",
        Code.UNSAFE,
    ),
    ("19-CVE-2024-56326-block", "text", "{% filter format(1) %}%s{% endfilter %}", Code.UNSAFE),
    ("19-CVE-2025-27516", "text", "{{ ('{0.__class__}'|attr('format'))(1) }}", Code.UNSAFE),
    ("19-CVE-2024-56201", "text", "{% include '{{ 1 }}\\u0000/etc/passwd' %}", Code.UNSAFE),
    ("19-loop-call", "text", "{% for a in [1] %}{{ loop.cycle('a') }}{% endfor %}", Code.UNSAFE),
    ("19-call-block", "text", "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{% endcall %}", Code.UNSAFE),
    ("20-power", "text", "{{ 9**(9**8) }}", Code.TOO_EXPENSIVE),
    ("20-repetition", "text", "{{ 'A'*700000000 }}", Code.TOO_EXPENSIVE),
    ("20-repetition-reversed", "text", "{{ 700000000*'A' }}", Code.TOO_EXPENSIVE),
    ("20-list-repetition", "text", "{% set a = [0]*500000000 %}", Code.TOO_EXPENSIVE),
    (
        "21-range",
        "text",
        "{% for a in range(99999) %}{% for b in range(9) %}.{% endfor %}{% endfor %}",
        Code.UNSAFE,
    ),
    ("22-center", "text", "{{ 'a'|center(2000000000) }}", Code.UNSAFE),
    ("22-ljust", "text", "{{ 'a'.ljust(2000000000) }}", Code.UNSAFE),
    ("22-zfill", "text", "{{ 'a'.zfill(2000000000) }}", Code.UNSAFE),
    ("22-percent-filter", "text", "{{ '%2000000000d'|format(1) }}", Code.UNSAFE),
    ("22-percent", "text", "{{ '%2000000000d' % 1 }}", Code.UNSAFE),
    ("22-format", "text", "{{ '{:>2000000000}'.format(1) }}", Code.UNSAFE),
    ("22-replace", "text", "{{ long|replace('x', long)|replace('x', long) }}", Code.UNSAFE),
    ("22-batch", "text", "{{ many|batch(900000000, 'x')|list }}", Code.UNSAFE),
    ("22-indent", "text", "{{ long|indent(2000000000) }}", Code.UNSAFE),
    ("22-wordwrap", "text", "{{ long|wordwrap(1) }}", Code.UNSAFE),
    ("22-sort", "text", "{{ many|sort }}", Code.UNSAFE),
    ("22-namespace", "text", "{% set n = namespace(s='x') %}{% set n.s = n.s ~ n.s %}", Code.UNSAFE),
    ("22-slice", "text", "{{ long[::-1] }}", Code.UNSAFE),
    ("23-self-include", "text", "{% include 'itself' %}", Code.UNSAFE),
    ("23-extends", "text", "{% extends 'itself' %}", Code.UNSAFE),
    ("23-import", "text", "{% import 'itself' as me %}", Code.UNSAFE),
    ("23-macro", "text", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", Code.UNSAFE),
    ("23-recursive-loop", "text", "{% for a in many recursive %}{{ loop([a]) }}{% endfor %}", Code.UNSAFE),
    ("23-nested-ifs", "text", "{% if long %}" * 3_000 + "{% endif %}" * 3_000, Code.TOO_COMPLEX),
    ("23-nested-loops", "text", "{% for a in many %}" * 25 + "{% endfor %}" * 25, Code.TOO_COMPLEX),
    ("23-nested-brackets", "text", "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}", Code.TOO_COMPLEX),
    ("23-nested-lists", "text", "{{ " + "[" * 90 + "]" * 90 + " }}", Code.TOO_COMPLEX),
    ("23-many-parts", "text", "{{ long }}" * 25_000, Code.TOO_COMPLEX),
    ("23-source", "text", "x" * 300_000, Code.TOO_COMPLEX),
    ("23-elifs", "text", "{% if long %}" + "{% elif long %}" * 3_000 + "{% endif %}", Code.TOO_COMPLEX),
    ("23-inline-ifs", "text", "{{ " + "1 if long else " * 500 + "2 }}", Code.TOO_COMPLEX),
    ("23-filters", "text", "{{ long" + "|upper" * 1_000 + " }}", Code.TOO_COMPLEX),
    ("22-infinity", "text", "{{ 1e999 }}", Code.VALUE),
    ("22-digits-nobody-reads", "text", "{{ 1" + "0" * 5_000 + " }}", Code.VALUE),
    ("22-hexadecimal", "text", "{% if 0x" + "f" * 9_000 + " > 1 %}{% endif %}", Code.VALUE),
    ("22-NUL", "text", "{{ 'a\\x00' }}", Code.VALUE),
    ("22-surrogate", "text", "{{ '\\ud83d' }}", Code.VALUE),
    ("24-filter", "text", "Dear\n  {{ name | uper }}", Code.UNDEFINED),
    ("24-test", "text", "{% if name is prety %}{% endif %}", Code.UNDEFINED),
    ("24-syntax", "text", "{% if name %}", Code.SYNTAX),
    ("26-in-a-script", "html", "<script>var a = '{{ name }}'</script>", Code.UNSAFE),
    ("26-in-a-handler", "html", "<a onclick=\"go('{{ name }}')\">x</a>", Code.UNSAFE),
    ("26-without-quotes", "html", "<a title={{ name }}>x</a>", Code.UNSAFE),
    ("26-as-a-tag", "html", "<{{ name }}>", Code.UNSAFE),
    ("28-urlize", "text", "{{ name|urlize }}", Code.UNSAFE),
    ("28-function", "text", "{{ getHostByName(name) }}", Code.UNSAFE),
    ("29-mjml-file", "mjml", '<mjml><mj-body><mj-include path="/etc/passwd" /></mj-body></mjml>', Code.INCLUDE),
    ("29-mjml-http", "mjml", '<mjml><mj-body><mj-include path="http://127.0.0.1/x" /></mj-body></mjml>', Code.INCLUDE),
    ("29-mjml-upper-case", "mjml", '<mjml><mj-body><MJ-INCLUDE path="a" /></mj-body></mjml>', Code.INCLUDE),
    ("29-mjml-broken", "mjml", "<mjml><mj-body>", Code.SYNTAX),
]

# These are sound sources; what they are given makes them hostile.
AT_RENDERING = [
    ("21-nested-loops", "{% for a in many %}{% for b in many %}{% if a == b %}{% endif %}{% endfor %}{% endfor %}"),
    ("21-loops-in-a-row", "{% for a in many %}{{ a }}{% endfor %}" * 2),
    ("22-output", "{% for a in many %}{{ long }}{% endfor %}"),
    ("22-doubling", "{% set s = long %}" + "{% set s = s ~ s %}" * 30 + "{{ s }}"),
    ("22-join", "{% set s = many|join(long) %}{% set t = many|join(s) %}{{ t }}"),
    ("22-filters", "{% set b = long ~ long %}{% for a in many %}{% set c = b|upper|lower %}{% endfor %}"),
    ("22-product", "{{ 10 * 10 * 1e29 * 1e29 }}"),
    ("22-repetition-of-a-value", "{{ long * 700000000 }}"),
    ("22-list-repetition", "{{ many * 700000000 }}"),
    ("22-addition", "{{ long + long }}"),
    ("22-searching", "{% for a in many %}{% if 'q' in many %}{% endif %}{% endfor %}"),
    ("22-truncate", "{{ long|truncate(2000000000) }}"),
    ("22-digits", "{{ 1|number(2000000000) }}"),
    ("22-exponent", "{{ '1e999999'|number }}"),
    ("22-pattern", "{{ '2026-11-20'|date('yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy') }}"),
    ("22-pattern-without-sense", "{{ '2026-11-20'|date('VVVV') }}"),
    ("24-undefined", "{{ nobody }}"),
    ("27-config", "{{ config }}"),
    ("27-env", "{{ env }}"),
    ("27-password-hash", "{{ contact.password_hash }}"),
    ("27-object", "{{ contact }}"),
]
STOPPED = {
    "21": {Code.TOO_LARGE},
    "22": {Code.TOO_LARGE, Code.VALUE},
    "24": {Code.UNDEFINED},
    "27": {Code.UNDEFINED, Code.VALUE},
}
VALUES: Mapping[str, Any] = {"long": LONG, "many": MANY, "name": "Ada", "contact": {"city": "Paris"}}


def spoken(source: str, field: str = "text", **values: Any) -> Line:
    return Line(f"{field}/{source}", {field: source}, "en", None, {**VALUES, **values})


def content(field: str, source: str) -> Content:
    return Content("email", "en", (Variant("default", 1, {"en": Script(**{field: source})}),))


@pytest.mark.parametrize(("field", "source", "code"), [row[1:] for row in AT_SAVE], ids=[row[0] for row in AT_SAVE])
async def test_it_is_refused_before_it_is_kept(shared: Renderer, field: str, source: str, code: Code) -> None:
    began = time.monotonic()
    [problem] = (await RenderingInspector(shared).inspect(uuid4(), content(field, source))).problems
    assert problem.code == code
    assert problem.place.pointer == f"/variants/0/languages/en/{field}"
    assert time.monotonic() - began < 20  # the machine may be busy; without the guard it is minutes, or never


async def test_what_ends_its_renderer_is_refused_as_a_whole(shared: Renderer) -> None:
    nested = "<mj-wrapper>" * 3_000 + "</mj-wrapper>" * 3_000
    source = f"<mjml><mj-body>{nested}</mj-body></mjml>"
    [problem] = (await RenderingInspector(shared).inspect(uuid4(), content("mjml", source))).problems
    assert (problem.code, problem.place.pointer) == (Code.TOO_EXPENSIVE, "")


@pytest.mark.parametrize(("source"), [row[1] for row in AT_RENDERING], ids=[row[0] for row in AT_RENDERING])
async def test_it_is_stopped_while_it_is_rendered(
    shared: Renderer, source: str, request: pytest.FixtureRequest
) -> None:
    inspection = await RenderingInspector(shared).inspect(uuid4(), content("text", source))
    assert inspection.problems == []
    bad, good = await shared.speak(uuid4(), [spoken(source), spoken("Hi {{ name }}")])
    assert isinstance(bad, Trouble)
    assert bad.code in STOPPED[request.node.callspec.id[:2]]
    assert good == Words(text="Hi Ada")


@pytest.mark.parametrize("operation", ["{{ 9**(9**8) }}", "{{ 'A'*700000000 }}", "{% for a in many %}" * 25])
async def test_others_are_answered_while_it_is_looked_at(shared: Renderer, operation: str) -> None:
    inspector, ticks = RenderingInspector(shared), 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(inspector.inspect(uuid4(), content("text", operation)) for _ in range(5)))
    ticking.cancel()
    assert ticks > 0
