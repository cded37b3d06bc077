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


def _expected(context: Mapping[str, Any]) -> str:
    """Put the library's `'a', 'b' or 'c'` as the house does."""
    return f"One of {str(context['expected']).replace(' or ', ' and ')}.".replace("'", "")


BOUNDED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "string_too_short": lambda context: f"At least {_counted(context['min_length'], 'character')}.",
    "string_too_long": lambda context: f"At most {_counted(context['max_length'], 'character')}.",
    "too_short": lambda context: f"At least {context['min_length']} of them.",
    "too_long": lambda context: f"At most {context['max_length']} of them.",
    "greater_than": lambda context: f"More than {context['gt']}.",
    "greater_than_equal": lambda context: f"At least {context['ge']}.",
    "less_than": lambda context: f"Less than {context['lt']}.",
    "less_than_equal": lambda context: f"At most {context['le']}.",
    "enum": _expected,
    "literal_error": _expected,
    "string_pattern_mismatch": lambda context: f"This must match {context['pattern']}.",
}


def sentence(error: Mapping[str, Any]) -> str:
    """Say what is wrong with a field in one sentence; our own checks have theirs already."""
    kind = str(error["type"])
    if kind == "missing" and len(error["loc"]) == 1:
        return BODY_MISSING
    if told := BOUNDED.get(kind):
        return told(error["ctx"])
    return SENTENCES.get(kind, str(error["msg"]))
