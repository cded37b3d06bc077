"""What the columns of a file of contacts are called and mean, read from its header."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from postroom.contact_files import cells
from postroom.contracts.vocabulary import ChannelKind
from postroom.errors import FieldError, Invalid

MOST_COLUMNS = 500
NAME_LENGTH = 64
_NAME = re.compile(rf"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{{1,{NAME_LENGTH}}}")


class Part(StrEnum):
    """The part of a contact that a column fills."""

    USER_ID = "user_id"
    EMAIL = "email"
    WEBHOOK = "webhook"
    TIME_ZONE = "time_zone"
    LANGUAGE = "language"
    TAGS = "tags"
    ATTRIBUTE = "attribute"
    GIVEN = "consent"
    GIVEN_AT = "at"
    GIVEN_SOURCE = "source"


READERS: dict[Part, Callable[[str], object]] = {
    Part.USER_ID: cells.read_user_id,
    Part.EMAIL: cells.read_email,
    Part.WEBHOOK: cells.read_webhook,
    Part.TIME_ZONE: cells.read_time_zone,
    Part.LANGUAGE: cells.read_language,
    Part.TAGS: cells.read_tags,
    Part.GIVEN: cells.read_boolean,
    Part.GIVEN_AT: cells.read_moment,
    Part.GIVEN_SOURCE: cells.read_word,
}
PLAIN = {part: part for part in (Part.USER_ID, Part.EMAIL, Part.WEBHOOK, Part.TIME_ZONE, Part.LANGUAGE, Part.TAGS)}
ATTRIBUTE = "attribute."
CONSENT = "consent.marketing."


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in the header, what it fills, and which attribute or channel of that."""

    name: str
    part: Part
    of: str
    read: Callable[[str], object]

    @classmethod
    def called(cls, name: str) -> "Column | None":
        """Find what a column of this name means; None for nothing."""
        if part := PLAIN.get(Part(name)) if name in PLAIN else None:
            return cls(name, part, "", READERS[part])
        if name.startswith(ATTRIBUTE):
            return cls._attribute(name)
        if name.startswith(CONSENT):
            channel, dot, member = name.removeprefix(CONSENT).partition(".")
            if channel in list(ChannelKind) and (not dot or member in (Part.GIVEN_AT, Part.GIVEN_SOURCE)):
                part = Part(member) if dot else Part.GIVEN
                return cls(name, part, channel, READERS[part])
        return None

    @classmethod
    def _attribute(cls, name: str) -> "Column | None":
        spelled, colon, kind = name.removeprefix(ATTRIBUTE).rpartition(":")
        if not colon or kind not in cells.KINDS:
            spelled, kind = name.removeprefix(ATTRIBUTE), cells.TEXT
        of = _unquoted(spelled) if spelled.startswith('"') else spelled if _NAME.fullmatch(spelled) else None
        return None if of is None else cls(name, Part.ATTRIBUTE, of, cells.KINDS[kind])


def attribute_column(name: str, kind: str) -> str:
    """Name the column of an attribute, so that `Column.called` finds the same again.

    The API takes any name; one that no header could hold as it is stands there as JSON spells it.
    """
    ordinary = _NAME.fullmatch(name) and not name.startswith('"') and name == name.strip()
    spelled = name if ordinary else json.dumps(name)
    plain = kind == cells.TEXT and spelled.rpartition(":")[2] not in cells.KINDS
    return f"{ATTRIBUTE}{spelled}" if plain else f"{ATTRIBUTE}{spelled}:{kind}"


def _unquoted(spelled: str) -> str | None:
    try:
        return str(cells.read_text(json.loads(spelled)))
    except (Invalid, ValueError):  # it begins with a quote, and is no text of JSON
        return None


def read_columns(names: Sequence[str]) -> Sequence[Column]:
    """Read a header.

    Raises:
        Invalid: names are unknown or stand there twice, there are too many, or none says who a row is about; pointers
            give places, as a file without a header has people in its first line.
    """
    if len(names) > MOST_COLUMNS:
        raise Invalid(f"A file has at most {MOST_COLUMNS} columns.", code="too_many_columns")
    columns, errors, seen = list[Column](), list[FieldError](), set[str]()
    for place, name in enumerate(names):
        column = Column.called(name.strip())
        if column is None:
            detail = "Not a column of contacts; what is the tenant's own is called attribute.<name>."
            errors.append(FieldError(f"/columns/{place}", "unknown_column", detail))
        elif column.name in seen:
            errors.append(FieldError(f"/columns/{place}", "duplicate_column", "An earlier column says the same."))
        else:
            seen.add(column.name)
            columns.append(column)
    if errors:
        raise Invalid("The first line does not name columns of contacts.", code=errors[0].code, errors=errors[:100])
    if Part.USER_ID not in seen:
        raise Invalid("The first line names the columns; user_id must be one of them.", code="missing_column")
    return columns
