"""A placeholder is one spelling and one value: nothing is run, nothing is read twice, and nothing else is touched."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.errors import Invalid
from postroom.notifications.placeholders import INVALID, MISSING, MOST, Form, Gap, look_up

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("no place", ()),
        ("{{name}}", ("name",)),
        ("a {{ name }} b {{\torder.number\n}}{{name}}", ("name", "order.number", "name")),
        ("{ name } }} {a: {b: 1}} { {", ()),
        ("{{ name }}}", ("name",)),
        ("{{" + "x" * 64 + "}}", ("x" * 64,)),
        ("{{" + ".".join("abcdefgh") + "}}", ("a.b.c.d.e.f.g.h",)),
        ("{{__class__}}", ("__class__",)),
    ],
)
def test_what_a_placeholder_is(text: str, names: tuple[str, ...]) -> None:
    form = Form.read(text)
    assert form.names == names
    assert len(form.literals) == len(names) + 1


@pytest.mark.parametrize(
    "text",
    [
        "{{",
        "a {{ b",
        "{{}}",
        "{{ }}",
        "{{ a b }}",
        "{{ a.b. }}",
        "{{ .a }}",
        "{{ a..b }}",
        "{{ a . b }}",
        "{{ 1a }}",
        "{{ a-b }}",
        "{{ a|upper }}",
        "{{ a() }}",
        "{{ a[0] }}",
        "{{{ a }}}",
        "{{ größe }}",
        "{{ a\u00a0}}",
        "{{ a }",
        "{{ {{ a }} }}",
        "{{ a }} {{% if %}}",
        "{{" + "x" * 65 + "}}",
        "{{" + ".".join("abcdefghi") + "}}",
        "{{" + " " * 900_000,
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Form.read(text)
    assert refused.value.code == "malformed_placeholder"


def test_there_are_only_so_many() -> None:
    assert len(Form.read("{{a}}" * MOST).names) == MOST
    with pytest.raises(Invalid) as refused:
        Form.read("{{a}}" * (MOST + 1))
    assert refused.value.code == "too_many_placeholders"


@given(st.lists(st.tuples(st.text().filter(lambda text: "{" not in text), NAMES, st.text())), st.text("ab{}" * 2))
def test_filling_replaces_each_once_and_nothing_else(parts: list[tuple[str, str, str]], more: str) -> None:
    values = {name: value + more for _, name, value in parts}
    text = "".join(f"{literal}{{{{ {name} }}}}" for literal, name, _ in parts)
    form = Form.read(text + "end")
    filled = form.fill(values)
    assert filled == "".join(literal + values[name] for literal, name, _ in parts) + "end"
    assert form.length(values) == len(filled)


@pytest.mark.parametrize(
    ("variables", "name", "value"),
    [
        ({"a": "Ада 🦊"}, "a", "Ада 🦊"),
        ({"a": ""}, "a", ""),
        ({"a": {"b": {"c": 7}}}, "a.b.c", "7"),
        ({"a": True}, "a", "true"),
        ({"a": False}, "a", "false"),
        ({"a": -1.5}, "a", "-1.5"),
        ({"a": 10**29}, "a", "1" + "0" * 29),
        ({"a": "{{ b }}", "b": "no"}, "a", "{{ b }}"),
        ({}, "a", Gap(MISSING, "a")),
        ({"a": {}}, "a.b", Gap(MISSING, "a.b")),
        ({"a": "text"}, "a.upper", Gap(MISSING, "a.upper")),
        ({"a": [1]}, "a.0x", Gap(MISSING, "a.0x")),
        ({"a.b": 1}, "a.b", Gap(MISSING, "a.b")),
        ({}, "__class__", Gap(MISSING, "__class__")),
        ({"a": None}, "a", Gap(INVALID, "a")),
        ({"a": [1]}, "a", Gap(INVALID, "a")),
        ({"a": {"b": 1}}, "a", Gap(INVALID, "a")),
    ],
)
def test_what_stands_for_a_name(variables: dict[str, Any], name: str, value: str | Gap) -> None:
    assert look_up(variables, name) == value
