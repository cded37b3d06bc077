"""What a version of a template says: variants to choose from, each in languages, and the variables it takes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

DEFAULT_VARIANT = "default"


class VariableType(StrEnum):
    """What a variable may hold; `date` is a text in RFC 3339, `any` what was declared by its name alone."""

    ANY = "any"
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    LIST = "list"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Variable:
    """One declared variable; without a default it is required."""

    name: str
    type: VariableType = VariableType.TEXT
    required: bool = True
    default: Any = None
    description: str | None = None

    @classmethod
    def named(cls, name: str) -> Self:
        """Declare by the name alone: required, and whatever it is."""
        return cls(name, VariableType.ANY)


@dataclass(frozen=True, slots=True)
class Script:
    """The words in one language, as template source; `html` and `mjml` exclude each other."""

    title: str | None = None
    text: str | None = None
    html: str | None = None
    mjml: str | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to say it; `languages` is by canonical tag (BCP 47)."""

    name: str
    weight: int
    languages: Mapping[str, Script]


@dataclass(frozen=True, slots=True)
class Content:
    """Everything of a version that its approval is bound to."""

    channel: str
    default_language: str
    variants: Sequence[Variant]
    variables: Sequence[Variable] = field(default_factory=tuple)

    @property
    def stored(self) -> dict[str, Any]:
        """What the database keeps, and `read` reads."""
        return asdict(self)

    @property
    def canonical(self) -> str:
        """One spelling for equal contents."""
        return json.dumps(self.stored, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @property
    def hash(self) -> bytes:
        """SHA-256 of the canonical spelling."""
        return hashlib.sha256(self.canonical.encode()).digest()

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Read what the database keeps."""
        return cls(
            stored["channel"],
            stored["default_language"],
            tuple(
                Variant(one["name"], one["weight"], {tag: Script(**script) for tag, script in one["languages"].items()})
                for one in stored["variants"]
            ),
            read_variables(stored["variables"]),
        )


def read_variables(stored: Sequence[Mapping[str, Any]]) -> tuple[Variable, ...]:
    """Read declarations that the database keeps."""
    return tuple(Variable(**{**one, "type": VariableType(one["type"])}) for one in stored)
