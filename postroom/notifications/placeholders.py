"""Placeholders: `{{ name }}` in a text, and the values that stand there instead; there is nothing in them to run."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

from postroom.errors import Invalid

MOST = 200  # in one text; filling that many for a thousand people takes a fraction of a second

MISSING = "variable_missing"
INVALID = "variable_invalid"
WORDLESS = frozenset({MISSING, INVALID})  # with these reasons a notification never had words that could be sent

_OPENING = "{{"
_NAME = "[A-Za-z_][A-Za-z0-9_]{0,63}"
_PLACEHOLDER = re.compile(rf"\{{\{{[ \t\r\n]*({_NAME}(?:\.{_NAME}){{0,7}})[ \t\r\n]*\}}\}}")


@dataclass(frozen=True, slots=True)
class Gap:
    """Why a text cannot be filled: a reason, and the placeholder it is about where it is about one."""

    reason: str
    variable: str | None = None
    field: str = ""

    @property
    def place(self) -> dict[str, str]:
        """Where it is, as the timeline keeps it."""
        return {"field": self.field} | ({"variable": self.variable} if self.variable else {})


@dataclass(frozen=True, slots=True)
class Form:
    """A text cut at its placeholders: between two neighbours of `literals` stands the value of one of `names`."""

    literals: Sequence[str]
    names: Sequence[str]

    @classmethod
    def read(cls, text: str) -> Self:
        """Find the placeholders of a text, in one pass over it.

        Raises:
            Invalid: `malformed_placeholder`, or `too_many_placeholders`.
        """
        literals, names, at = list[str](), list[str](), 0
        while (start := text.find(_OPENING, at)) >= 0:
            found = _PLACEHOLDER.match(text, start)
            if found is None:
                detail = f"A placeholder is written {{{{ name }}}} or {{{{ order.number }}}}; not so at {start}."
                raise Invalid(detail, code="malformed_placeholder")
            literals.append(text[at:start])
            names.append(found[1])
            at = found.end()
        if len(names) > MOST:
            raise Invalid(f"At most {MOST} placeholders.", code="too_many_placeholders")
        return cls((*literals, text[at:]), tuple(names))

    def length(self, values: Mapping[str, str]) -> int:
        """Return how many characters it comes to, before there is a text of that length."""
        return sum(map(len, self.literals)) + sum(len(values[name]) for name in self.names)

    def fill(self, values: Mapping[str, str]) -> str:
        """Put the values where their names stand; what looks like a placeholder inside a value is left alone."""
        standing = (*(values[name] for name in self.names), "")
        return "".join(chain.from_iterable(zip(self.literals, standing, strict=True)))


def look_up(variables: Mapping[str, Any], name: str) -> str | Gap:
    """Return what stands for a dotted name, texts as they are and numbers as JSON spells them; or why nothing does."""
    found: object = variables
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return Gap(MISSING, name)
        found = found[part]
    if isinstance(found, str):
        return found
    return json.dumps(found) if isinstance(found, bool | int | float) else Gap(INVALID, name)
