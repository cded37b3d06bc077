"""What is said of a field that has another type, length or range than it must have: what to write instead."""

from collections.abc import Callable, Mapping
from typing import Any

TEXT, NUMBER, WHOLE, TRUTH, OBJECT = (
    "This must be a text.",
    "This must be a number.",
    "This must be a whole number.",
    "This must be true or false.",
    "This must be an object.",
)
SENTENCES: Mapping[str, str] = {
    "missing": "This field is required.",
    "extra_forbidden": "There is no such field.",
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "dict_type": OBJECT,
    "list_type": "This must be a list.",
    "string_type": TEXT,
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_from_float": WHOLE,
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "bool_type": TRUTH,
    "bool_parsing": TRUTH,
}
BODY_MISSING = "A body is required."


def _counted(number: int, one: str) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def _listed(expected: object) -> str:
    """Put the library's `'a', 'b' or 'c'` as the house does."""
    return f"One of {str(expected).replace(' or ', ' and ')}.".replace("'", "")


# What the library calls it, the bound it names, and the sentence; checks of ours that are called alike name none.
BOUNDED: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "string_too_short": ("min_length", lambda least: f"At least {_counted(least, 'character')}."),
    "string_too_long": ("max_length", lambda most: f"At most {_counted(most, 'character')}."),
    "too_short": ("min_length", lambda least: f"At least {least} of them."),
    "too_long": ("max_length", lambda most: f"At most {most} of them."),
    "greater_than": ("gt", lambda bound: f"More than {bound}."),
    "greater_than_equal": ("ge", lambda bound: f"At least {bound}."),
    "less_than": ("lt", lambda bound: f"Less than {bound}."),
    "less_than_equal": ("le", lambda bound: f"At most {bound}."),
    "enum": ("expected", _listed),
    "literal_error": ("expected", _listed),
    "string_pattern_mismatch": ("pattern", lambda pattern: f"This must match {pattern}."),
}


def sentence(error: Mapping[str, Any]) -> str:
    """Say what is wrong with a field in one sentence; our own checks have theirs already."""
    kind, context = str(error["type"]), error.get("ctx") or {}
    if kind == "missing" and len(error["loc"]) == 1:
        return BODY_MISSING
    bound, told = BOUNDED.get(kind, ("", str))
    if bound in context:
        return told(context[bound])
    return SENTENCES.get(kind, str(error["msg"]))
