"""The filters that change texts and lists; each says beforehand how much it is going to handle."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from jinja2.runtime import Undefined
from markupsafe import Markup, escape

from postroom.rendering.environment import number, shown
from postroom.rendering.meter import Meter
from postroom.rendering.trouble import Code, Refused

LONGEST_TRUNCATED = 10_000
DIGITS = 12


class Texts:
    """Filters over texts, lists and numbers, which count with one meter."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    @property
    def filters(self) -> Mapping[str, Callable[..., Any]]:
        """By the name a template uses."""
        return {
            "upper": lambda value: self._text(value).upper(),
            "lower": lambda value: self._text(value).lower(),
            "title": lambda value: self._text(value).title(),
            "capitalize": lambda value: self._text(value).capitalize(),
            "trim": lambda value: self._text(value).strip(),
            "truncate": self.truncate,
            "escape": lambda value: escape(self._text(value)),
            "e": lambda value: escape(self._text(value)),
            "urlencode": lambda value: quote(self._text(value), safe=""),
            "default": default,
            "d": default,
            "length": lambda value: len(self.sized(value)),
            "count": lambda value: len(self.sized(value)),
            "first": lambda value: self._end(value, 0),
            "last": lambda value: self._end(value, -1),
            "items": self.items,
            "join": self.join,
            "int": lambda value: int(_read(value)),
            "float": lambda value: float(_read(value)),
            "abs": lambda value: abs(number(value)),
            "round": _round,
        }

    def join(self, value: object, separator: object = "") -> str:
        """Put the parts of a list together."""
        parts, between = [self._text(one) for one in self.sized(value)], self._text(separator)
        self._meter.work(len(between) * len(parts))
        return between.join(parts)

    def joining(self, *values: object) -> str:
        """`a ~ b`: what was marked as HTML stays so, and the rest is escaped beside it."""
        texts = [one if type(one) is Markup else self._text(one) for one in values]
        self._meter.work(sum(map(len, texts)))
        return Markup("").join(texts) if any(type(one) is Markup for one in texts) else "".join(texts)

    def turning(self, value: object) -> object:
        """What a loop is about to walk."""
        sized = self.sized(value)
        self._meter.turn(sized)
        return sized

    def searching(self, value: object) -> object:
        """What `in` is about to look through."""
        if isinstance(value, str | dict | list | tuple):
            self._meter.work(len(value))
            return value
        return self.sized(value)

    def truncate(self, value: object, length: object = 255, end: object = "…") -> str:
        """Cut a text at a word's end so that it has at most `length` characters, `end` among them."""
        text, ending, room = self._text(value), self._text(end), int(number(length))
        if not len(ending) < room <= LONGEST_TRUNCATED:
            raise Refused(Code.VALUE, f"A text is cut at {len(ending) + 1} to {LONGEST_TRUNCATED} characters.")
        if len(text) <= room:
            return text
        kept = room - len(ending)
        cut = text[:kept]
        if text[kept] != " ":
            cut = cut.rpartition(" ")[0] or cut
        return cut.rstrip() + ending

    def items(self, value: object) -> list[tuple[str, Any]]:
        """The names and values of an object, to walk in pairs."""
        if not isinstance(value, dict):
            raise _wrong(value, "This filter takes an object.")
        self._meter.work(len(value))
        return list(value.items())

    def sized(self, value: object) -> Any:  # noqa: ANN401 - a list or an object of any JSON
        """Return what can be counted and walked: a list, an object or a text."""
        if not isinstance(value, list | tuple | dict | str):
            raise _wrong(value, "This can be done with a list only.")
        return value

    def _end(self, value: object, index: int) -> object:
        sized = self.sized(value)
        if isinstance(sized, dict) or not sized:
            raise Refused(Code.UNDEFINED, "There is no first and no last one here.")
        return sized[index]

    def _text(self, value: object) -> str:
        text = str(shown(value))
        self._meter.work(len(text))
        return text


def default(value: object, instead: object = "", empty: object = False) -> object:  # noqa: FBT002 - Jinja's own way
    """Return `instead` where there is nothing or null; with `empty` also for what is empty or false."""
    return instead if value is None or isinstance(value, Undefined) or (empty and not value) else value


def _round(value: object, digits: object = 0) -> int | float:
    places = int(number(digits))
    if not 0 <= places <= DIGITS:
        raise Refused(Code.VALUE, f"A number is rounded to at most {DIGITS} digits.")
    rounded = round(number(_read(value)), places)
    return int(rounded) if places == 0 else rounded


def _read(value: object) -> int | float:
    if isinstance(value, str):
        try:
            return number(float(value[:40]))
        except ValueError:
            raise Refused(Code.VALUE, "This text is not a number.") from None
    return number(value)


def _wrong(value: object, sentence: str) -> Refused:
    if isinstance(value, Undefined):
        str(value)  # raises
    return Refused(Code.UNDEFINED if value is None else Code.VALUE, sentence)
