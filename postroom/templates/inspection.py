"""What a look at a template's source finds before it is kept: mistakes, and the variables that it speaks of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from postroom.templates.content import Content


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a content something stands; `line` and `column` count from 1.

    `pointer` is a JSON pointer into the canonical content, such as `/variants/0/languages/de/html`.
    """

    pointer: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a source; never names a value."""

    code: str
    detail: str
    place: Place


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found; `used` has each top-level variable and where it stands first, without what a template always has.

    What every template has: loop variables and other names that it sets itself, `contact` and the notification's own.
    """

    problems: Sequence[Problem] = ()
    used: Mapping[str, Place] = field(default_factory=dict)


class Inspector(Protocol):
    """Looks at sources without letting them do harm."""

    async def inspect(self, tenant_id: UUID, content: Content) -> Inspection:
        """Parse and try every text of a content, within bounds of time and memory; a tenant's wait for each other."""
        ...
