"""The variables of a template: what may be declared, what was given and whether it fits, and what finally stands."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from postroom.notifications.placeholders import INVALID, MISSING
from postroom.templates.casting import ALWAYS_THERE
from postroom.templates.content import Variable, VariableType

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
# What the language of templates or every template already calls something.
TAKEN = frozenset(
    {"true", "false", "none", "True", "False", "None", "loop", "self", "super", "caller", "varargs", "kwargs"}
    | {"and", "or", "not", "in", "is", "if", "else"}
    | ALWAYS_THERE
)

_DATE_LENGTH = len("2026-11-20")
_FITTING: Mapping[VariableType, tuple[type, ...]] = {
    VariableType.TEXT: (str, int, float),
    VariableType.NUMBER: (int, float),
    VariableType.BOOLEAN: (bool,),
    VariableType.DATE: (str,),
    VariableType.LIST: (list,),
    VariableType.OBJECT: (dict,),
    VariableType.ANY: (object,),
}
SENTENCES: Mapping[VariableType, str] = {
    VariableType.TEXT: "It must be a text.",
    VariableType.NUMBER: "It must be a number.",
    VariableType.BOOLEAN: "It must be true or false.",
    VariableType.DATE: "It must be a date or a time (RFC 3339).",
    VariableType.LIST: "It must be a list.",
    VariableType.OBJECT: "It must be an object.",
    VariableType.ANY: "It must be there.",
}


@dataclass(frozen=True, slots=True)
class Misfit:
    """A variable that lacks a value or has one that does not fit; `reason` is `variable_missing` or `_invalid`."""

    reason: str
    variable: str
    detail: str


def merge(declared: Sequence[Variable], shared: Mapping[str, str], own: Mapping[str, Any]) -> dict[str, Any]:
    """Put the values together: a notification's own go before the tenant's, and those before declared defaults."""
    defaults = {one.name: one.default for one in declared if not one.required}
    return {**defaults, **shared, **own}


def misfits(declared: Sequence[Variable], shared: Collection[str], own: Mapping[str, Any]) -> Iterator[Misfit]:
    """Hold what was given to the declaration; `shared` names the tenant's variables, which fill what is not given."""
    for one in declared:
        if one.name in own:
            if not fits(one.type, own[one.name]) and not (own[one.name] is None and not one.required):
                yield Misfit(INVALID, one.name, SENTENCES[one.type])
        elif one.required and one.name not in shared:
            yield Misfit(MISSING, one.name, f"The template needs the variable {one.name}.")


def fits(kind: VariableType, value: object) -> bool:
    """Tell whether a JSON value is of a type; a text may be a number too, which has one spelling, but no boolean."""
    if value is None or not isinstance(value, _FITTING[kind]):
        return False
    if isinstance(value, bool):
        return kind in {VariableType.BOOLEAN, VariableType.ANY}
    return kind is not VariableType.DATE or _is_date(str(value))


def _is_date(text: str) -> bool:
    try:
        if len(text) == _DATE_LENGTH:
            date.fromisoformat(text)
        else:
            datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
