"""The types of single fields: what a text, a moment, a duration or a piece of metadata may be."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from postroom.contacts.person import is_language, is_time_zone
from postroom.contacts.tags import MOST as MOST_TAGS
from postroom.errors import Invalid
from postroom.notifications.request import CONTENT_LENGTH
from postroom.templates.languages import canonical

METADATA_DEPTH = 8
METADATA_BYTES = 16_384
NEAR_YEARS = range(1970, 3000)
LARGEST_NUMBER = 10**30
LONGEST_SHARE = timedelta(days=7)  # of one channel before the next has its turn

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:[0-5]\d)?", re.ASCII)
_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,8}(?:\.\d{1,6})?)S)?)?",
    re.ASCII,
)


class Weekday(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


def _wrong(code: str, detail: str) -> PydanticCustomError:
    return PydanticCustomError(code, "{detail}", {"detail": detail})


def as_field(check: Callable[[str], str]) -> Callable[[str], str]:
    """Use a check of the product as a field's validator: same code, same sentence."""

    def validated(text: str) -> str:
        try:
            return check(text)
        except Invalid as error:
            raise _wrong(error.code, error.detail) from error

    return validated


def plain(text: str) -> str:
    """Refuse what would not be seen, or would break a line."""
    if _CONTROL.search(text):
        raise _wrong("invalid_characters", "Control characters are not allowed here.")
    return text


def seen(text: str) -> str:
    """Refuse a name of which nobody would see anything."""
    if not text.strip():
        raise _wrong("string_too_short", "At least one character that is no blank.")  # refused as `too_short`
    return text


def storable(text: str) -> str:
    """Refuse what a Postgres text cannot hold."""
    if "\0" in text:
        raise _wrong("invalid_characters", "The character NUL is not allowed.")
    return text


def _moment(value: object) -> datetime:
    """Read RFC 3339; a time without an offset stays naive, and its field decides whether that is enough."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise _wrong("invalid_time", "Write a time like 2026-11-20T15:00:00Z (RFC 3339).")
    try:
        moment = datetime.fromisoformat(value.upper())
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise _wrong("invalid_time", "There is no such time.") from None


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise _wrong("offset_required", "A time needs its offset from UTC, such as Z or +02:00.")
    return moment


def read_near_instant(value: object) -> datetime:
    """Read an instant that calendars can be asked about, in any zone and for weeks ahead."""
    moment = _aware(_moment(value))
    if moment.year not in NEAR_YEARS:
        raise _wrong("out_of_range", f"From {NEAR_YEARS.start} to the end of {NEAR_YEARS.stop - 1}.")
    return moment


def read_duration(value: object) -> timedelta:
    """Read seconds, or ISO 8601 without years and months, whose length nobody knows."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        return timedelta(**{unit: float(count) for unit, count in match.groupdict(default="0").items()})
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 10**9:
        return timedelta(seconds=value)
    raise _wrong("invalid_duration", "Write seconds, or an ISO 8601 duration such as PT1H30M.")


def _share(duration: timedelta) -> timedelta:
    if duration <= timedelta():
        raise _wrong("invalid_duration", "It must be longer than nothing.")
    if duration > LONGEST_SHARE:
        raise _wrong("out_of_range", f"At most {LONGEST_SHARE.days} days.")
    return duration


def _once(words: list[str]) -> list[str]:
    return sorted(set(words))


def _zone(name: str) -> str:
    if not is_time_zone(name):
        raise _wrong("unknown_time_zone", "Write a zone of the IANA database, such as Europe/Paris.")
    return name


def _language(tag: str) -> str:
    if not is_language(tag):
        raise _wrong("invalid_language", "Write a language tag (BCP 47), such as en or pt-BR.")
    return tag


def bounded(what: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Make a validator that refuses what is too much, or what a Postgres jsonb cannot hold."""

    def checked(value: dict[str, Any]) -> dict[str, Any]:
        _check_bounds(what, value)
        return value

    return checked


def bounded_json(value: object) -> object:
    """Hold any JSON value to the bounds of metadata."""
    _check_bounds("default", {"": value})
    return value


def _check_bounds(what: str, value: dict[str, Any]) -> None:
    """Add up what it holds, and stop where it is too much: looking at all of it would hold up everybody else."""
    weight = 0
    unseen: list[tuple[object, int]] = [(value, METADATA_DEPTH)]
    while unseen:
        one, depth = unseen.pop()
        if depth < 0:
            raise _wrong(f"{what}_too_deep", f"At most {METADATA_DEPTH} levels of {what}.")
        weight += _weight(one)
        if weight > METADATA_BYTES:
            raise _wrong(f"{what}_too_large", f"At most {METADATA_BYTES} bytes of {what}.")
        if isinstance(one, dict):
            unseen += [(name, depth) for name in one]
            unseen += [(member, depth - 1) for member in one.values()]
        elif isinstance(one, list):
            unseen += [(member, depth - 1) for member in one]


def _weight(value: object) -> int:
    """Return how many bytes a JSON value itself takes, roughly; refuses what a Postgres jsonb cannot hold."""
    if isinstance(value, dict | list):
        return 2 + len(value)
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise _wrong("invalid_characters", "NUL and lone surrogates cannot be stored.")
        return 3 + len(value.encode())
    if isinstance(value, int | float) and not -LARGEST_NUMBER < value < LARGEST_NUMBER:
        raise _wrong("number_out_of_range", "Numbers are finite and below 10^30.")
    return 8


LongText = Annotated[str, StringConstraints(max_length=CONTENT_LENGTH), AfterValidator(storable)]
UserId = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(plain)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(plain)]
Tags = Annotated[list[Word], Field(max_length=MOST_TAGS), AfterValidator(_once)]
Moment = Annotated[datetime, BeforeValidator(_moment, json_schema_input_type=datetime)]
Instant = Annotated[Moment, AfterValidator(_aware)]
NearInstant = Annotated[datetime, BeforeValidator(read_near_instant, json_schema_input_type=datetime)]
Duration = Annotated[
    timedelta, BeforeValidator(read_duration, json_schema_input_type=float | str), Field(examples=[90, "PT1H30M"])
]
ChannelShare = Annotated[Duration, AfterValidator(_share)]
TimeZone = Annotated[str, AfterValidator(_zone), Field(examples=["Europe/Paris"])]
Language = Annotated[str, AfterValidator(_language), Field(examples=["fr"])]
LanguageTag = Annotated[
    str, StringConstraints(max_length=64), AfterValidator(as_field(canonical)), Field(examples=["zh-CN"])
]
Metadata = Annotated[dict[str, Any], AfterValidator(bounded("metadata"))]
Attributes = Annotated[dict[str, Any], AfterValidator(bounded("attributes"))]
Variables = Annotated[dict[str, Any], AfterValidator(bounded("variables"))]
