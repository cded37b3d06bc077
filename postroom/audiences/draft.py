"""A rule on its way to SQL: the values that were bound, and the mistakes that were found."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from postroom.errors import FieldError, Invalid

LARGEST = 100  # conditions
VALUES = 10_000  # in all lists of a rule together
TEXT_LENGTH = 1_000
ERRORS = 20  # more are not told

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NAME_LENGTH = 100

Check = Callable[[object, str], Any]


@dataclass(slots=True)
class Draft:
    """What a rule has come to so far."""

    parameters: dict[str, Any] = field(default_factory=dict)
    errors: list[FieldError] = field(default_factory=list)
    tasks: list[tuple[UUID, str]] = field(default_factory=list)
    conditions: int = 0
    values: int = 0

    def bind(self, value: object) -> str:
        """Put a value beside the statement, and return what stands for it in the text."""
        name = f"rule_{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"

    def take(self, conditions: int, place: str) -> None:
        """Count conditions before they are looked at; raises Invalid when they are too many."""
        self.conditions += conditions
        if self.conditions > LARGEST:
            raise Invalid.at(place, "rule_too_large", f"At most {LARGEST} conditions in a rule.")

    def several(self, value: object, place: str, check: Check) -> list[Any]:
        """Return the members of a list, each checked and none twice; raises Invalid for the first wrong one."""
        if not isinstance(value, list):
            raise Invalid.at(place, "wrong_type", "This must be a list.")
        if not value:
            raise Invalid.at(place, "too_few", "At least one.")
        self.values += len(value)
        if self.values > VALUES:
            raise Invalid.at(place, "rule_too_large", f"At most {VALUES} values in the lists of a rule.")
        return list(dict.fromkeys(check(one, f"{place}/{number}") for number, one in enumerate(value)))


def text(value: object, place: str) -> str:
    """Return a text that the database can hold; raises Invalid."""
    if not isinstance(value, str):
        raise Invalid.at(place, "wrong_type", "This must be a text.")
    if not value:
        raise Invalid.at(place, "too_short", "At least one character.")
    if len(value) > TEXT_LENGTH:
        raise Invalid.at(place, "too_long", f"At most {TEXT_LENGTH} characters.")
    if _UNSTORABLE.search(value):
        raise Invalid.at(place, "invalid_characters", "NUL and lone surrogates are in no text.")
    return value


def members(value: object, place: str, required: Sequence[str], optional: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return an object that has these members and no others; raises Invalid."""
    if not isinstance(value, dict):
        raise Invalid.at(place, "wrong_type", "This must be an object.")
    errors = [
        FieldError(at(place, name), "unknown_field", "There is no such field.")
        for name in value
        if name not in {*required, *optional}
    ][:ERRORS]
    errors += [
        FieldError(at(place, name), "field_required", "This field is required.")
        for name in required
        if name not in value
    ]
    if errors:
        raise Invalid(errors[0].detail, code=errors[0].code, errors=errors)
    return value


def at(place: str, name: str) -> str:
    """Return the pointer to a member (RFC 6901), of a name that anybody may have written."""
    spelled = name[:_NAME_LENGTH].encode("utf-8", "replace").decode()
    return f"{place}/{spelled.replace('~', '~0').replace('/', '~1')}"


def short(value: object, place: str, most: int) -> str:
    """Return a text of at most so many characters; raises Invalid."""
    name = text(value, place)
    if len(name) > most:
        raise Invalid.at(place, "too_long", f"At most {most} characters.")
    return name
