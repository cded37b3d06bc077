"""What single cells of a file of contacts may hold, and how they are spelt so that they are read as the same."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from postroom.channels.email.addresses import clean_address
from postroom.contacts.person import is_language, is_time_zone
from postroom.contacts.tags import MOST as MOST_TAGS
from postroom.egress.targets import parse_target
from postroom.errors import Invalid

TEXT, NUMBER, BOOLEAN, DATE, JSON = "text", "number", "boolean", "date", "json"
LARGEST_NUMBER = 10**30
WORD_LENGTH = 64
JSON_DEPTH = 8
BLANK = " \t\r\n"  # a cell that holds nothing else says nothing

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,30})(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:[0-5]\d)", re.ASCII)
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_user_id(text: str) -> str:
    """Read the tenant's own name for a person."""
    return read_word(text)


def read_word(text: str) -> str:
    """Read a short text in one line."""
    if len(text) > WORD_LENGTH:
        raise Invalid(f"At most {WORD_LENGTH} characters.", code="too_long")
    if _CONTROL.search(text) or _UNSTORABLE.search(text):
        raise Invalid("Control characters are not allowed here.", code="invalid_characters")
    return text


def read_email(text: str) -> str:
    """Read an address as the API does."""
    return clean_address(text.strip())


def read_webhook(text: str) -> str:
    """Check the spelling alone, as the API does."""
    return str(parse_target(text.strip(), public_only=False))


def read_time_zone(text: str) -> str:
    """Read the name of a zone."""
    if not is_time_zone(name := text.strip()):
        raise Invalid("Write a zone of the IANA database, such as Europe/Paris.", code="unknown_time_zone")
    return name


def read_language(text: str) -> str:
    """Read a language tag."""
    if not is_language(tag := text.strip()):
        raise Invalid("Write a language tag (BCP 47), such as en or pt-BR.", code="invalid_language")
    return tag


def read_tags(text: str) -> list[str]:
    """Read tags, separated by `|` or `;`, or as a JSON list."""
    found = _listed(text)
    if found is None:
        found = [word for part in re.split(r"[|;]", text) if (word := part.strip())]
    if len(found) > MOST_TAGS:
        raise Invalid(f"At most {MOST_TAGS} tags.", code="too_many_tags")
    return list(dict.fromkeys(map(read_tag, found)))


def _listed(text: str) -> list[str] | None:
    try:
        found = json.loads(text) if text.startswith("[") else None
    except (ValueError, RecursionError):
        return None  # a tag may begin like a list
    return found if isinstance(found, list) and all(isinstance(one, str) and one for one in found) else None


def spelled_tags(tags: Sequence[str]) -> str:
    """Spell tags so that `read_tags` finds the same."""
    plain = "|".join(tags)
    return plain if read_tags(plain) == list(tags) else json.dumps(list(tags), ensure_ascii=False)


def read_tag(text: str) -> str:
    """Read one tag."""
    return read_word(text)


def read_boolean(text: str) -> bool:
    """Read true, false, yes, no, 1 or 0."""
    found = _TRUTHS.get(text.strip().lower())
    if found is None:
        raise Invalid("Write true or false.", code="invalid_boolean")
    return found


def read_number(text: str) -> float:
    """Read a number as JSON spells it."""
    if not _NUMBER.fullmatch(spelled := text.strip()):
        raise Invalid("Write a number such as 42 or -1.5.", code="invalid_number")
    return _small(json.loads(spelled))


def read_date(text: str) -> str:
    """Read a day; it is kept as text."""
    spelled = text.strip()
    try:
        return date.fromisoformat(spelled).isoformat()
    except ValueError:
        raise Invalid("Write a day such as 2026-11-20.", code="invalid_date") from None


def read_moment(text: str) -> datetime:
    """Read RFC 3339 with an offset."""
    if not _MOMENT.fullmatch(spelled := text.strip()):
        raise Invalid("Write a time like 2026-11-20T15:00:00Z (RFC 3339).", code="invalid_time")
    try:
        return datetime.fromisoformat(spelled.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("There is no such time.", code="invalid_time") from None


def read_text(text: str) -> str:
    """Read an attribute that is text."""
    if _UNSTORABLE.search(text):
        raise Invalid("The character NUL is not allowed.", code="invalid_characters")
    return text


def read_json(text: str) -> object:
    """Read an attribute of any JSON type."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Invalid("Not a JSON value.", code="invalid_json") from None
    _check(value, JSON_DEPTH)
    return value


def _check(value: object, depth: int) -> None:
    """Refuse what jsonb cannot hold, or what the API would not take."""
    if depth < 0:
        raise Invalid(f"At most {JSON_DEPTH} levels.", code="attributes_too_deep")
    if isinstance(value, str):
        read_text(value)
    elif isinstance(value, int | float):
        _small(value)
    elif isinstance(value, dict):
        for member in (*value, *value.values()):
            _check(member, depth - 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth - 1)


def _small(number: float) -> float:
    if not -LARGEST_NUMBER < number < LARGEST_NUMBER:  # no NaN and no infinity either
        raise Invalid("Numbers are below 10^30.", code="number_out_of_range")
    return number


def _refuse(_: str) -> object:
    raise ValueError


KINDS: dict[str, Callable[[str], object]] = {
    TEXT: read_text,
    NUMBER: read_number,
    BOOLEAN: read_boolean,
    DATE: read_date,
    JSON: read_json,
}


def kind_of(value: object) -> str:
    """Return the kind of column that holds an attribute so that it is read as the same; an empty cell says nothing."""
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int | float):
        return NUMBER
    return TEXT if isinstance(value, str) and value.strip(BLANK) else JSON


def spelled(value: object, kind: str) -> str:
    """Spell an attribute for a column of its kind."""
    if kind == TEXT:
        return str(value)
    return json.dumps(value, ensure_ascii=False)
