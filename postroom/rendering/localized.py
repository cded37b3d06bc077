"""The filters that speak a language: amounts, numbers, dates and plurals, by the Unicode locale data of babel."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates, numbers
from babel.numbers import NumberPattern
from jinja2.runtime import Undefined

from postroom.rendering.trouble import Code, Refused

LARGEST = Decimal(10) ** 18
DIGITS = 12
FORMATS = frozenset({"short", "medium", "long", "full"})
PATTERN_LENGTH = 60

_CURRENCY = re.compile(r"[A-Z]{3}")
_NUMBER_LENGTH = 40
_DAY = len("2026-11-20")
_TOO_MANY_OF_ONE = re.compile(r"(.)\1{5}")


class Localized:
    """Filters in one language and one time zone, which `speak` chooses for the next rendering."""

    def __init__(self) -> None:
        self.speak("en", None)

    def speak(self, language: str, zone: str | None) -> None:
        """Choose; a language nobody has data for falls back to its parent and at last to English."""
        self.language = language
        self._locale = locale_of(language)
        self._zone = zone_of(zone) if zone else UTC

    @property
    def filters(self) -> Mapping[str, Callable[..., Any]]:
        """By the name a template uses."""
        return {
            "currency": self.currency,
            "number": self.number,
            "percent": self.percent,
            "date": self.day,
            "time": self.hour,
            "datetime": self.moment,
            "plural": self.plural,
            "pluralize": self.plural,
        }

    def currency(self, value: object, code: object = None) -> str:
        """Spell an amount as the language does; `code` is the three letters of ISO 4217."""
        if not isinstance(code, str) or not _CURRENCY.fullmatch(code):
            raise Refused(Code.VALUE, 'Name a currency by its three letters: currency("EUR").')
        return numbers.format_currency(_amount(value), code, locale=self._locale)

    def number(self, value: object, digits: object = None) -> str:
        """A number with the language's separators, as precise as it is or with as many digits as asked for."""
        if digits is None:
            return numbers.format_decimal(_amount(value), locale=self._locale)
        return self._spelled(self._locale.decimal_formats[None], value, digits)

    def percent(self, value: object, digits: object = 0) -> str:
        """`0.25` as 25 %."""
        return self._spelled(self._locale.percent_formats[None], value, digits)

    def _spelled(self, pattern: NumberPattern, value: object, digits: object) -> str:
        """Spell a number by a pattern of the language, with so many digits behind its decimal sign."""
        if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= DIGITS:
            raise Refused(Code.VALUE, f"Digits are a number from 0 to {DIGITS}.")
        return str(_precise(pattern.pattern, digits).apply(_amount(value), self._locale))

    def day(self, value: object, pattern: object = "medium") -> str:
        """A day in the person's zone."""
        moment = _moment(value)
        day = moment if not isinstance(moment, datetime) else self._here(moment).date()
        return dates.format_date(day, _pattern(pattern), locale=self._locale)

    def hour(self, value: object, pattern: object = "short") -> str:
        """A time of day in the person's zone."""
        return dates.format_time(self._here(_moment(value)), _pattern(pattern), locale=self._locale)

    def moment(self, value: object, pattern: object = "medium") -> str:
        """A day and a time in the person's zone."""
        return dates.format_datetime(self._here(_moment(value)), _pattern(pattern), locale=self._locale)

    def plural(self, value: object, *forms: object, **named: object) -> str:
        """Choose a form for a count: `plural("item", "items")`, or by CLDR category `plural(one=..., other=...)`."""
        category = self._locale.plural_form(_amount(value))
        if not forms and not named:
            forms = ("", "s")
        found = named.get(category, named.get("other"))
        if found is None and forms:
            found = forms[0] if category == "one" else forms[-1]
        if not isinstance(found, str):
            raise Refused(Code.VALUE, f"There is no form for the category {category} here, and none called other.")
        return found

    def _here(self, moment: date) -> datetime:
        if not isinstance(moment, datetime):
            return datetime.combine(moment, time())
        return moment.astimezone(self._zone) if moment.tzinfo else moment


@lru_cache(maxsize=256)
def _precise(pattern: str, digits: int) -> NumberPattern:
    precise = numbers.parse_pattern(pattern)
    precise.frac_prec = (digits, digits)
    return precise


@lru_cache(maxsize=256)
def locale_of(language: str) -> Locale:
    """Return what babel knows of a language tag, or of the nearest one it knows."""
    parts = language.split("-")
    while parts:
        try:
            return Locale.parse("_".join(parts))
        except (ValueError, UnknownLocaleError):
            parts.pop()
    return Locale("en")


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """Return a zone, or UTC where there is no such zone any more."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError):
        return UTC


def _check_given(value: object) -> None:
    if isinstance(value, Undefined):
        str(value)  # raises
    if value is None:
        raise Refused(Code.UNDEFINED, "This is null; give it a default.")


def _amount(value: object) -> Decimal:
    _check_given(value)
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise Refused(Code.VALUE, "This is no number.")
        amount = Decimal(str(value)) if len(str(value)) <= _NUMBER_LENGTH else Decimal("NaN")
    except (InvalidOperation, ValueError):
        raise Refused(Code.VALUE, "This is no number.") from None
    if not amount.is_finite() or abs(amount) >= LARGEST or abs(amount.adjusted()) > 2 * _NUMBER_LENGTH:
        raise Refused(Code.VALUE, "This is no number that could be written out.")
    return amount


def _moment(value: object) -> date:
    _check_given(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_seconds(value)
    try:
        if isinstance(value, str) and len(value) <= _NUMBER_LENGTH:
            return date.fromisoformat(value) if len(value) == _DAY else datetime.fromisoformat(value)
    except ValueError:
        pass
    raise Refused(Code.VALUE, "This is no date or time (RFC 3339).")


def _from_seconds(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise Refused(Code.VALUE, "This is no time in seconds since 1970.") from None


def _pattern(pattern: object) -> Any:  # noqa: ANN401 - babel's own names, or a pattern
    if isinstance(pattern, str) and len(pattern) <= PATTERN_LENGTH and not _TOO_MANY_OF_ONE.search(pattern):
        return pattern
    raise Refused(Code.VALUE, f"A format is {', '.join(sorted(FORMATS))} or a short pattern such as yyyy-MM-dd.")
