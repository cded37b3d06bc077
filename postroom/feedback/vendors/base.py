"""What a provider's webhook is: something that proves itself with a tenant's secret, and says what became of mails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic_core import from_json

from postroom.errors import Invalid, Unauthenticated
from postroom.feedback.report import Report

EVENTS = 5_000  # of one call


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it came; header names are in lower case."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """What a call says: reports about mails that may be ours, and how many events say nothing we keep."""

    reports: Sequence[Report] = field(default_factory=tuple)
    ignored: int = 0


class Vendor(Protocol):
    """One provider's way."""

    def check_secret(self, secret: str) -> None:
        """Refuse a secret no call could be proven with; raises Invalid."""
        ...

    async def told(self, call: Call, secret: str) -> Told:
        """Prove a call and read it.

        Raises:
            Unauthenticated: it does not prove itself (`invalid_signature`).
            Invalid: it did, and is not what this provider sends.
        """
        ...


def refused() -> Unauthenticated:
    """Say that a call did not prove itself, and nothing else."""
    return Unauthenticated("This call does not prove where it comes from.", code="invalid_signature")


def parsed(body: bytes | str) -> Any:  # noqa: ANN401 - anything
    """Read JSON of strangers; raises Invalid."""
    try:
        return from_json(body)
    except ValueError as error:
        raise Invalid("This is not JSON.", code="malformed_json") from error


def listed(found: object) -> list[Mapping[str, Any]]:
    """Return the objects of a list, or one object; anything else is none.

    Raises:
        Invalid: they are more than one call may bring (`too_many_events`); none of them was taken.
    """
    entries = found if isinstance(found, list) else [found]
    if len(entries) > EVENTS:
        raise Invalid(f"A call has at most {EVENTS} events.", code="too_many_events")
    return [entry for entry in entries if isinstance(entry, dict)]


def inside(found: object, *names: str) -> Any:  # noqa: ANN401 - anything
    """Return what stands deep inside JSON of strangers; None where it does not."""
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def word(found: object) -> str:
    """Return a text, empty where it is none."""
    return found if isinstance(found, str) else ""
