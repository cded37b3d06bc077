"""What a batch says to each of its recipients, where their variables fill the placeholders of its words."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Self

from postroom.channels.email.headers import LINE_LIMIT, check_subject
from postroom.errors import Invalid
from postroom.jobs.batch import Batch, Recipient
from postroom.notifications.placeholders import INVALID, Form, Gap, look_up
from postroom.notifications.request import CONTENT_LENGTH, Request

FILLED_AT_ONCE = 10  # people; between two such groups others have their turn
SHEET = 4_000_000  # characters that are held, and cross the wire, at once
PLACE = 200  # characters that take about as long to put together as one placeholder

TITLE, TEXT, HTML = "title", "content.text", "content.html"


@dataclass(frozen=True, slots=True)
class Words:
    """What one person is told."""

    title: str | None = None
    text: str | None = None
    html: str | None = None

    @property
    def length(self) -> int:
        """In characters."""
        return len(self.text or "") + len(self.html or "")

    @property
    def weight(self) -> int:
        """In bytes."""
        return len((self.text or "").encode()) + len((self.html or "").encode())


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a request, by field, before they are anybody's."""

    forms: Mapping[str, Form]

    @classmethod
    def read(cls, request: Request) -> Self:
        """Find the placeholders of everything that is said.

        Raises:
            Invalid: one of them is malformed; with a pointer to its field.
        """
        fields = {TITLE: request.title, TEXT: request.body_text, HTML: request.body_html}
        return cls({field: _read(field, text) for field, text in fields.items() if text})

    @property
    def places(self) -> int:
        """How many placeholders it has, each as often as it stands there."""
        return sum(len(form.names) for form in self.forms.values())

    def fill(self, variables: Mapping[str, Any]) -> Words | Gap:
        """Say it to one person, or say why that is not possible."""
        values: dict[str, str] = {}
        for field, form in self.forms.items():
            for name in form.names:
                if name in values:
                    continue
                value = look_up(variables, name)
                if isinstance(value, Gap):
                    return replace(value, field=field)
                values[name] = value
        return self._title_gap(values) or self._fill(values)

    def _title_gap(self, values: Mapping[str, str]) -> Gap | None:
        """Hold a filled title to the rules of a title; a single value that breaks them is named."""
        title = self.forms[TITLE]
        if title.length(values) <= LINE_LIMIT and _is_title(title.fill(values)):
            return None
        bad = (name for name in title.names if values[name] and not _is_title(values[name]))
        return Gap(INVALID, next(bad, None), TITLE)

    def _fill(self, values: Mapping[str, str]) -> Words | Gap:
        escaped = {name: escape(value, quote=True) for name, value in values.items()} if HTML in self.forms else {}
        filled: dict[str, str] = {}
        for field, form in self.forms.items():
            fitting = escaped if field == HTML else values
            if form.length(fitting) > CONTENT_LENGTH:
                return Gap(INVALID, field=field)
            filled[field] = form.fill(fitting)
        words = Words(filled[TITLE], filled.get(TEXT) or None, filled.get(HTML) or None)
        return words if words.length else Gap(INVALID, field="content")


async def find_gaps(batch: Batch) -> dict[str, Gap]:
    """Return who cannot be told anything, by user_id, and why; nobody when no recipient has variables.

    Raises:
        Invalid: a placeholder is malformed.
        TooLarge: all the words together, and the files, are more than one batch may write.
    """
    if not batch.has_variables:
        return {}
    wording, gaps, weight = Wording.read(batch.request), dict[str, Gap](), 0
    for position, recipient in enumerate(batch.recipients):
        words = wording.fill(recipient.variables or {})
        if isinstance(words, Gap):
            gaps[recipient.user_id] = words
        else:
            weight += words.weight
            batch.check_weight(weight)
        if position % FILLED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return gaps


def sheets(batch: Batch) -> Iterator[list[tuple[Recipient, Words]]]:
    """Fill the words of a checked batch for everybody, sheet by sheet; who cannot be told anything has empty ones."""
    wording, sheet, length = Wording.read(batch.request), list[tuple[Recipient, Words]](), 0
    effort = PLACE * wording.places
    for recipient in batch.recipients:
        words = wording.fill(recipient.variables or {})
        sheet.append((recipient, Words() if isinstance(words, Gap) else words))
        length += sheet[-1][1].length + effort
        if length > SHEET:
            yield sheet
            sheet, length = [], 0
    if sheet:
        yield sheet


def _read(field: str, text: str) -> Form:
    try:
        return Form.read(text)
    except Invalid as error:
        raise Invalid.at("/" + field.replace(".", "/"), error.code, error.detail) from error


def _is_title(text: str) -> bool:
    try:
        return bool(check_subject(text))
    except Invalid:
        return False
