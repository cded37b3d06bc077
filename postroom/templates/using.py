"""How a send names the template it speaks with, and what stands in its words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from postroom.templates.records import Ref


@dataclass(frozen=True, slots=True)
class Use:
    """A template or a set of them, by id or name; `pointer` is where in the body it is named."""

    text: str
    pointer: str
    is_set: bool = False
    variables: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None

    @property
    def ref(self) -> Ref:
        """What the text names, when it names a template."""
        return Ref.read(self.text)
