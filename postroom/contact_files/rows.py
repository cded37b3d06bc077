"""Reads the records of a file into what each says of a person, or says what is wrong with it."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from postroom.contact_files.cells import BLANK
from postroom.contact_files.columns import Column, Part
from postroom.contact_files.records import TOO_LONG, UNCLOSED, Record
from postroom.contacts.consent import Consents, Given, Stored
from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.csv_lines import unshielded
from postroom.errors import Invalid

MESSAGES = {
    UNCLOSED: "A quote begins here and is not closed; the lines after it were read by themselves.",
    TOO_LONG: "A row has at most 65,536 characters.",
    "malformed_row": "Quotes stand around a whole cell, and are doubled within it (RFC 4180).",
    "ragged_row": "The row does not have as many cells as the first line has columns.",
    "missing_user_id": "Every row names a person.",
    "consent_unknown": "A time or a source of consent says nothing without whether it was given.",
}
CODE_LIMIT = 20  # problems of one row that are told


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line, or became of it; `column` is None when it is the row as a whole."""

    line: int
    column: str | None
    code: str
    message: str

    @classmethod
    def of_row(cls, line: int, code: str, column: str | None = None) -> "Problem":
        """Tell one of the problems known here."""
        return cls(line, column, code, MESSAGES[code])


@dataclass(slots=True)
class Row:
    """What one line says of a person; what it leaves empty it does not speak of."""

    line: int
    user_id: str = ""
    addresses: dict[str, str] = field(default_factory=dict)
    time_zone: str | None = None
    language: str | None = None
    tags: Sequence[str] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    consent: dict[str, dict[Part, Any]] = field(default_factory=dict)

    def consents(self, stored: Stored, received_at: datetime) -> Consents:
        """Put together what was agreed to; without a time it is when the file came, unless it is known already."""
        known = stored.get(MessageClass.MARKETING, {})
        channels = {
            ChannelKind(channel): Given(
                said[Part.GIVEN], min(said.get(Part.GIVEN_AT, received_at), received_at), said.get(Part.GIVEN_SOURCE)
            )
            for channel, said in self.consent.items()
            if Part.GIVEN_AT in said or known.get(channel, {}).get("given") != said[Part.GIVEN]
        }
        return {MessageClass.MARKETING: channels} if channels else {}

    def put(self, column: Column, value: Any) -> None:  # noqa: ANN401 - whatever its column reads
        """Take the value of a cell; raises Invalid when another one gave it before."""
        if column.part in (Part.GIVEN, Part.GIVEN_AT, Part.GIVEN_SOURCE):
            self.consent.setdefault(column.of, {})[column.part] = value
        elif column.part is Part.ATTRIBUTE:
            if column.of in self.attributes:
                raise Invalid("Another column of this row gives the attribute a value.", code="attribute_twice")
            self.attributes[column.of] = value
        elif column.part in (Part.EMAIL, Part.WEBHOOK):
            self.addresses[str(column.part)] = value
        else:
            setattr(self, str(column.part), value)


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads the rows of one file."""

    columns: Sequence[Column]
    delimiter: str

    def read(self, records: Iterable[Record]) -> tuple[list[Row], list[Problem]]:
        """Return the rows that are sound, and the problems of all others; a row with a problem is left out whole."""
        rows, problems = list[Row](), list[Problem]()
        for record in records:
            found = self._read(record)
            if isinstance(found, Row):
                rows.append(found)
            else:
                problems += found[:CODE_LIMIT]
        return rows, problems

    def _read(self, record: Record) -> Row | list[Problem]:
        if record.broken:
            return [Problem.of_row(record.line, record.broken)]
        values = split(record.text, self.delimiter)
        if values is None:
            return [Problem.of_row(record.line, "malformed_row")]
        if len(values) != len(self.columns):
            return [Problem.of_row(record.line, "ragged_row")]
        row, problems = Row(record.line), list[Problem]()
        for column, text in zip(self.columns, values, strict=True):
            if not text.strip(BLANK):
                continue
            try:
                row.put(column, column.read(unshielded(text)))
            except Invalid as error:
                problems.append(Problem(record.line, column.name, error.code, error.detail))
        return problems or _whole(row)


def _whole(row: Row) -> Row | list[Problem]:
    """Hold what the cells say together to what must be there."""
    if not row.user_id:
        return [Problem.of_row(row.line, "missing_user_id", "user_id")]
    if any(Part.GIVEN not in said for said in row.consent.values()):
        return [Problem.of_row(row.line, "consent_unknown")]
    return row


def split(text: str, delimiter: str) -> list[str] | None:
    """Return the cells of a record; None when its quotes are wrong."""
    if '"' not in text:
        return None if "\r" in text else text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
