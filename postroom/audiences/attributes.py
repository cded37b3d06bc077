"""Conditions on what a tenant keeps of a person: each compares like with like, whatever stands there."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from psycopg.types.json import Jsonb

from postroom.audiences.draft import Draft, members, text
from postroom.errors import Invalid

LARGEST_NUMBER = 10**30
MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?:[Tt ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?(?:[Zz]|[+-](?:0\d|1[0-4]):[0-5]\d))?",
    re.ASCII,
)

Scalar = str | int | float | bool
# What an operator is handed: the draft, the attribute as SQL, the value it is compared with, and its place.
Operator = Callable[[Draft, str, object, str], str]


def attribute(draft: Draft, value: object, place: str) -> str:
    """Compile `{"name": "plan", "op": "equals", "value": "pro"}`.

    A value that is missing or null equals nothing, so it is `not_equals` to everything. Neither a number in a text nor
    a text in a number is understood: they are different.
    """
    told = members(value, place, ("name", "op"), ("value",))
    operator = OPERATORS.get(told["op"]) if isinstance(told["op"], str) else None
    if operator is None:
        raise Invalid.at(f"{place}/op", "unknown_value", f"One of {', '.join(OPERATORS)}.")
    name = text(told["name"], f"{place}/name")
    if "value" not in told and operator is not _exists:
        raise Invalid.at(f"{place}/value", "field_required", "This field is required.")
    held = f"(k.attributes -> {draft.bind(name)}::text)"
    return operator(draft, held, told.get("value", True), f"{place}/value")


def moment(written: str) -> datetime | None:
    """Read a date, which is its first instant in UTC, or a time with its offset; None for every other text.

    The same texts as `attribute_moment` in the database.
    """
    if not MOMENT.fullmatch(written):
        return None
    try:
        read = datetime.fromisoformat(written.upper())
    except ValueError:  # a day that no calendar has
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def scalar(value: object, place: str) -> Scalar:
    """Return a text, a finite number, true or false; raises Invalid."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if not -LARGEST_NUMBER < value < LARGEST_NUMBER:  # no NaN either
            raise Invalid.at(place, "number_out_of_range", "Numbers are finite and below 10^30.")
        return value
    if isinstance(value, str):
        return value and text(value, place)
    raise Invalid.at(place, "wrong_type", "This must be a text, a number, true or false.")


def _equals(draft: Draft, held: str, value: object, place: str) -> str:
    return f"{held} = {draft.bind(Jsonb(scalar(value, place)))}::jsonb"


def _not_equals(draft: Draft, held: str, value: object, place: str) -> str:
    return f"({_equals(draft, held, value, place)}) IS NOT TRUE"


def _in(draft: Draft, held: str, value: object, place: str) -> str:
    # True is 1 to Python and another value to everybody else.
    wanted = draft.several(value, place, lambda one, where: (type(one) is bool, scalar(one, where)))
    return f"{held} = ANY ({draft.bind([Jsonb(one) for _, one in wanted])}::jsonb[])"


def _exists(draft: Draft, held: str, value: object, place: str) -> str:  # noqa: ARG001 - every operator is called alike
    if not isinstance(value, bool):
        raise Invalid.at(place, "wrong_type", "This must be true or false.")
    return f"(jsonb_typeof({held}) <> 'null') IS {'TRUE' if value else 'NOT TRUE'}"


def _compares(sign: str) -> Operator:
    def compare(draft: Draft, held: str, value: object, place: str) -> str:
        """Compare numbers with numbers, and moments with moments."""
        if isinstance(value, str):
            if (limit := moment(value)) is None:
                raise Invalid.at(place, "invalid_time", "Write a date, or a time with its offset (RFC 3339).")
            return f"attribute_moment({held}) {sign} {draft.bind(limit)}::timestamptz"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Invalid.at(place, "wrong_type", "This must be a number, or a date or time as a text.")
        number = draft.bind(Jsonb(scalar(value, place)))
        return f"(jsonb_typeof({held}) = 'number' AND {held} {sign} {number}::jsonb)"

    return compare


def _contains(draft: Draft, held: str, value: object, place: str) -> str:
    """Find a text within a text, or a member of a list."""
    wanted = scalar(value, place)
    member = f"(jsonb_typeof({held}) = 'array' AND {held} @> {draft.bind(Jsonb(wanted))}::jsonb)"
    if not isinstance(wanted, str):
        return member
    part = draft.bind(text(wanted, place))
    return f"({member} OR (jsonb_typeof({held}) = 'string' AND strpos({held} #>> '{{}}', {part}::text) > 0))"


def _starts_with(draft: Draft, held: str, value: object, place: str) -> str:
    beginning = draft.bind(text(value, place))
    return f"(jsonb_typeof({held}) = 'string' AND starts_with({held} #>> '{{}}', {beginning}::text))"


OPERATORS: Mapping[str, Operator] = {
    "equals": _equals,
    "not_equals": _not_equals,
    "in": _in,
    "exists": _exists,
    "greater": _compares(">"),
    "less": _compares("<"),
    "at_least": _compares(">="),
    "at_most": _compares("<="),
    "contains": _contains,
    "starts_with": _starts_with,
}
