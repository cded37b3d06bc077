"""What goes to a renderer and what comes back: a script with somebody's values, and words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FIELDS = ("title", "text", "html", "mjml")


@dataclass(frozen=True, slots=True)
class Line:
    """One rendering: `key` names the script, which is sent along only to a child that does not know it yet.

    `sources` are by field. The key holds the tenant, so that no two tenants ever share what was compiled.
    """

    key: str
    sources: Mapping[str, str]
    language: str
    zone: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        """Characters of its values, roughly: texts at the top, and what stands in lists and objects by number."""
        return sum(len(value) if isinstance(value, str | list | dict) else 1 for value in self.values.values())


@dataclass(frozen=True, slots=True)
class Words:
    """What one person is told; of text and HTML at least one is there."""

    title: str | None = None
    text: str | None = None
    html: str | None = None
