"""What goes to a renderer and what comes back: a script with somebody's values, and words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_SIZED = frozenset({str, list, dict})
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
        weight = len(self.values)
        for value in self.values.values():
            if type(value) in _SIZED:
                weight += len(value)
        return weight


class Words(NamedTuple):
    """What one person is told; of text and HTML at least one is there. A tuple, because it is made a thousandfold."""

    title: str | None = None
    text: str | None = None
    html: str | None = None
