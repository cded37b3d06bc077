"""Variables: which values fit, which are missing, and which of several goes first."""

from typing import Any

import pytest

from postroom.templates.content import Variable, VariableType
from postroom.templates.variables import merge, misfits

NAME = Variable("name", VariableType.TEXT)
COUNT = Variable("count", VariableType.NUMBER, required=False, default=1)
NOTE = Variable("note", VariableType.TEXT, required=False)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("text", ["", "Ada", 7, 1.5], [True, [], {}, None]),
        ("number", [0, -1, 1.5], ["1", True, None, []]),
        ("boolean", [True, False], [0, "true", None]),
        ("date", ["2026-11-20", "2026-11-20T10:00:00Z", "2026-11-20T10:00:00+02:00"], ["soon", "2026-13-01", "", 5]),
        ("list", [[], [1]], [{}, "a,b", None]),
        ("object", [{}, {"a": 1}], [[], "x", None]),
        ("any", [0, "", False, [], {}], [None]),
    ],
)
def test_a_value_is_of_its_type(kind: str, good: list[Any], bad: list[Any]) -> None:
    declared = [Variable("one", VariableType(kind))]
    assert [value for value in good if list(misfits(declared, (), {"one": value}))] == []
    reasons = {one.reason for value in bad for one in misfits(declared, (), {"one": value})}
    assert len([value for value in bad if not list(misfits(declared, (), {"one": value}))]) == 0
    assert reasons == {"variable_invalid"}


def test_what_is_missing_is_named() -> None:
    assert [(one.reason, one.variable) for one in misfits([NAME, COUNT, NOTE], (), {"other": 1})] == [
        ("variable_missing", "name")
    ]
    assert list(misfits([NAME, COUNT, NOTE], {"name"}, {})) == []
    assert list(misfits([NAME, NOTE], (), {"name": "Ada", "note": None})) == []


def test_ones_own_goes_before_the_tenants_and_that_before_the_default() -> None:
    declared = [NAME, COUNT, NOTE]
    assert merge(declared, {}, {"name": "Ada"}) == {"name": "Ada", "count": 1, "note": None}
    assert merge(declared, {"name": "shop", "count": "2", "town": "Bonn"}, {"name": "Ada"}) == {
        "name": "Ada",
        "count": "2",
        "note": None,
        "town": "Bonn",
    }
