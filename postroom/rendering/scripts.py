"""A script as it is played: its texts compiled, and every refusal with the place in the source its author wrote."""

import marshal
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from jinja2.environment import Template

from postroom.channels.email.headers import check_subject
from postroom.errors import Invalid
from postroom.rendering.speech import FIELDS, Words
from postroom.rendering.stage import Stage
from postroom.rendering.trouble import Code, Refused, Trouble

UNNAMED = 'lang="und"'  # what MJML writes where its author names no language

_TAG = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Script:
    """The compiled texts of one language, by field."""

    parts: Mapping[str, Template]
    sources: Mapping[str, str]

    @classmethod
    def compile(cls, stage: Stage, sources: Mapping[str, str]) -> Self | Trouble:
        """Compile what is there, or say what is wrong with the first text that is not right."""
        parts = {}
        for field in (field for field in FIELDS if sources.get(field)):
            try:
                parts[field] = stage.compile(field, sources[field])
            except Refused as refusal:
                return located(refusal, field, sources[field])
        return cls(parts, sources)

    @property
    def weight(self) -> int:
        """Bytes of its code."""
        return sum(len(marshal.dumps(part.root_render_func.__code__)) for part in self.parts.values())

    def play(self, stage: Stage, values: Mapping[str, Any]) -> Words | Trouble:
        """Speak every text, or say why one of them cannot be spoken."""
        said: dict[str, str] = {}
        for field, template in self.parts.items():
            try:
                said[field] = stage.render(template, values)
                if field == "title":
                    said[field] = _title(said[field])
            except Refused as refusal:
                return located(refusal, field, self.sources[field])
        html = said.get("html") or said.get("mjml", "").replace(UNNAMED, f'lang="{stage.language}"', 1)
        words = Words(said.get("title"), said.get("text") or None, html or None)
        return words if words.text or words.html else Trouble(Code.VALUE, "Text and HTML are both empty.")


def located(refusal: Refused, field: str, source: str) -> Trouble:
    """Say where in the source a refusal belongs: at the name it is about, else at the first tag of its line."""
    line, column = refusal.line, None
    if refusal.variable and (found := find(refusal.variable, source, refusal.line)):
        line, column = found
    elif line:
        start = sum(map(len, source.splitlines(keepends=True)[: line - 1]))
        tag = _TAG.search(source, start)
        column = tag.start() - start + 1 if tag and source.count("\n", start, tag.start()) == 0 else 1
    return Trouble(refusal.code, refusal.detail, field, line, column, refusal.variable)


def find(name: str, source: str, line: int | None = None) -> tuple[int, int] | None:
    """Return line and column where a name stands first in a tag, not before the given line."""
    pattern = re.compile(rf"(?<![\w\"'.]){re.escape(name)}(?!\w)|(?<=\.){re.escape(name)}(?!\w)")
    for tag in _TAG.finditer(source):
        found = pattern.search(source, tag.start(), tag.end())
        at = source.count("\n", 0, found.start()) + 1 if found else 0
        if found and at >= (line or 1):
            return at, found.start() - source.rfind("\n", 0, found.start())
    return None


def _title(said: str) -> str:
    title = said.strip(" ")
    try:
        check_subject(title)
    except Invalid as error:
        raise Refused(Code.TITLE, error.detail) from None
    if not title:
        raise Refused(Code.TITLE, "The title is empty.")
    return title
