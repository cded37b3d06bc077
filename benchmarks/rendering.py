"""Templates through Postroom's path, batched to its children, beside a bare Jinja2 loop; and a hostile neighbour."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import jinja2

from benchmarks.figures import Figure, Finding, Goal, percentile
from benchmarks.house import House
from benchmarks.scale import Scale
from postroom.rendering.inspection import RenderingInspector
from postroom.rendering.localized import Localized
from postroom.rendering.renderer import Renderer
from postroom.rendering.speech import Line, Words
from postroom.templates.content import Content, Script, Variant

SECTION = "rendering"
ROUNDS = 5
ORDERS, GREETINGS = 2_000, 10_000
TURN, TURNS = 60, 12  # renderings of one tenant, one at a time, by turns alone and beside a hostile one
LANGUAGE, ZONE = "de", "Europe/Berlin"

ORDER: Mapping[str, str] = {
    "title": "Order {{ order.number }}",
    "text": "Hello {{ name }},\n{% for line in order.lines %}{{ line.count }} x {{ line.name }}: "
    "{{ line.price | currency('EUR') }}\n{% endfor %}Total {{ order.total | currency('EUR') }}, "
    "ordered {{ order.at | datetime }}.",
    "html": "<!DOCTYPE html><html><body style='font-family: sans-serif'><h1>Hello {{ name }}</h1><table>"
    "{% for line in order.lines %}<tr><td>{{ line.count }}</td><td>{{ line.name }}</td>"
    "<td align='right'>{{ line.price | currency('EUR') }}</td></tr>{% endfor %}</table>"
    "<p>Total <b>{{ order.total | currency('EUR') }}</b>, ordered {{ order.at | date('long') }}.</p>"
    '<p><a href="{{ url }}">See your order</a></p></body></html>',
}
GREETING: Mapping[str, str] = {"title": "Hello {{ name }}", "text": "Hello {{ name }}, your code is {{ code }}."}

HOSTILE_SOURCES = (
    "{{ 9**(9**8) }}",
    "{{ 'A'*700000000 }}",
    "{{ 'a'|center(2000000000) }}",
    "{{ '%2000000000d' % 1 }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}.{% endfor %}{% endfor %}",
    "{% if many %}" * 3_000 + "{% endif %}" * 3_000,
    "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ many }}" * 10_000,
)
HOSTILE_RENDERINGS = (
    "{% for a in many %}{% for b in many %}{% if a == b %}{% endif %}{% endfor %}{% endfor %}",
    "{% set s = long %}" + "{% set s = s ~ s %}" * 30 + "{{ s }}",
    "{% for a in many %}{{ long }}{% endfor %}",
    "{% for a in many %}{% if 'q' in many %}{% endif %}{% endfor %}",
    "{% for a in many %}{{ a | currency('EUR') }}{{ a | datetime }}{{ a | date('full') }}{% endfor %}",
    "{{ many | join(long) }}",
    "{% for a in many %}{% set b = long | upper | lower | title %}{% endfor %}",
)
WORST: Mapping[str, Any] = {"long": "x" * 4_000, "many": list(range(1_500))}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message: its sources, how many, and what each says."""

    what: str
    sources: Mapping[str, str]
    count: int
    values: Callable[[int], Mapping[str, Any]]


async def measure(_house: House, scale: Scale) -> list[Finding]:
    """Alternate rounds for speed; then one tenant alone and beside a hostile one."""
    async with Renderer(2).open(warm=True) as renderer:
        return [
            await _beside_jinja(
                renderer, scale, Kind("an order of five lines, title, text and HTML", ORDER, ORDERS, _ordered)
            ),
            await _beside_jinja(renderer, scale, Kind("a greeting, title and text", GREETING, GREETINGS, _greeted)),
            await _beside_the_worst(renderer, scale),
        ]


async def _beside_jinja(renderer: Renderer, scale: Scale, kind: Kind) -> Finding:
    values = [kind.values(number) for number in range(scale.count(kind.count))]
    tenant_id = uuid4()
    lines = [Line(f"{tenant_id}", kind.sources, LANGUAGE, ZONE, one) for one in values]
    await renderer.speak(tenant_id, lines[:1])
    ours, bare = [], []
    for _ in range(scale.rounds(ROUNDS)):
        bare.append(bare_round(kind.sources, values))
        began = time.perf_counter()
        spoken = await renderer.speak(tenant_id, lines)
        ours.append(len(lines) / (time.perf_counter() - began))
        assert all(isinstance(one, Words) for one in spoken)
    return Finding(SECTION, kind.what, "/s", Figure(ours), Figure(bare), ratio_goal=Goal(at_least=0.8))


def bare_round(sources: Mapping[str, str], values: Sequence[Mapping[str, Any]]) -> float:
    """Render as Jinja2's documentation does, templates compiled once, with the same filters."""
    tongue = Localized()
    tongue.speak(LANGUAGE, ZONE)
    templates = []
    for field, source in sources.items():
        environment = jinja2.Environment(autoescape=field == "html")  # noqa: S701 - plain text is plain
        environment.filters |= tongue.filters
        templates.append(environment.from_string(source))
    began = time.perf_counter()
    for one in values:
        for template in templates:
            template.render(one)
    return len(values) / (time.perf_counter() - began)


async def _beside_the_worst(renderer: Renderer, scale: Scale) -> Finding:
    """Time the renderings of one tenant, by turns alone and while another one saves and renders what is hostile.

    Turns are short, so that both sides share whatever else the machine has to do.
    """
    good, bad, quiet = uuid4(), uuid4(), asyncio.Lock()
    alone, beside = [], []
    await _times(renderer, good, TURN)
    worst = asyncio.create_task(_do_its_worst(renderer, bad, quiet))
    for _ in range(scale.rounds(ROUNDS)):
        by_turns: tuple[list[float], list[float]] = ([], [])
        for _ in range(scale.count(TURNS)):
            async with quiet:
                by_turns[0].extend(await _times(renderer, good, TURN))
            await asyncio.sleep(0.01)
            by_turns[1].extend(await _times(renderer, good, TURN))
        alone.append(percentile(by_turns[0], 0.99))
        beside.append(percentile(by_turns[1], 0.99))
    worst.cancel()
    with suppress(asyncio.CancelledError):
        await worst
    what = "an order, p99, while another tenant saves and renders what is hostile (bare: alone)"
    return Finding(SECTION, what, "ms", Figure(beside), Figure(alone), ratio_goal=Goal(below=1.2))


async def _times(renderer: Renderer, tenant_id: UUID, count: int) -> list[float]:
    took = []
    for number in range(count):
        line = Line(f"{tenant_id}", ORDER, LANGUAGE, ZONE, _ordered(number))
        began = time.perf_counter()
        await renderer.speak(tenant_id, [line])
        took.append((time.perf_counter() - began) * 1_000)
        await asyncio.sleep(0)
    return took


async def _do_its_worst(renderer: Renderer, tenant_id: UUID, quiet: asyncio.Lock) -> None:
    inspector = RenderingInspector(renderer)
    lines = [Line(f"{tenant_id}/{source}", {"text": source}, LANGUAGE, ZONE, WORST) for source in HOSTILE_RENDERINGS]
    while True:
        for source in HOSTILE_SOURCES:
            async with quiet:
                await inspector.inspect(tenant_id, _content(source))
        async with quiet:
            await renderer.speak(tenant_id, lines)


def _content(source: str) -> Content:
    return Content("email", "en", (Variant("default", 1, {"en": Script(title="x", text=source)}),))


def _greeted(number: int) -> Mapping[str, Any]:
    return {"name": "Ada", "code": number}


def _ordered(number: int) -> Mapping[str, Any]:
    lines = [{"name": f"Thing {at}", "count": at + 1, "price": f"{at}.99"} for at in range(5)]
    order = {"number": f"A-{number}", "at": "2026-11-20T10:00:00Z", "total": "123.45", "lines": lines}
    return {"name": "Ada", "url": f"https://shop.example/{number}", "order": order}
