"""What can be wrong with a template or with one rendering of it: a code, a sentence and a place."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Code(StrEnum):
    """The codes, which are stable; the same ones end a delivery and refuse a save."""

    SYNTAX = "template_syntax"
    UNSAFE = "template_unsafe"
    TOO_COMPLEX = "template_too_complex"
    TOO_EXPENSIVE = "template_too_expensive"
    UNDEFINED = "template_undefined"
    VALUE = "template_value_invalid"
    TITLE = "template_title_invalid"
    TIMEOUT = "template_timeout"
    TOO_LARGE = "template_too_large"
    INCLUDE = "include_not_allowed"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong; `detail` never holds a value, `field` is title, text, html or mjml.

    `line` and `column` count from 1 in the source as its author wrote it.
    """

    code: str
    detail: str
    field: str | None = None
    line: int | None = None
    column: int | None = None
    variable: str | None = None

    def plain(self) -> dict[str, Any]:
        """Spell it as JSON does, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `plain` spelled."""
        return cls(**plain)


class Refused(Exception):
    """A template, or one rendering of it, is refused."""

    def __init__(self, code: Code, detail: str, *, line: int | None = None, variable: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.line = line
        self.variable = variable


class Overdue(BaseException):
    """The CPU time of one rendering is used up; no `except Exception` on the way may swallow it."""
