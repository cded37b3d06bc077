"""Which template speaks in a notification, with what, and to whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

# What every template may name without declaring it.
ALWAYS_THERE = frozenset({"contact", "unsubscribe_url", "preferences_url"})


@dataclass(frozen=True, slots=True)
class Casting:
    """A version of a template as a notification was accepted with it.

    `language` is what the caller asked for, `known_language` what the contact reads; the caller's goes first.
    `attributes` are the contact's, which a template may name as `contact`. `links` are the recipient's own, which
    it names as `unsubscribe_url` and `preferences_url`.
    """

    template_id: UUID
    version: int
    variables: Mapping[str, Any]
    language: str | None = None
    known_language: str | None = None
    time_zone: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, row: Mapping[str, Any], links: Mapping[str, str]) -> Self:
        """Read what a row tells of a notification's words and of its reader."""
        return cls(
            template_id=row["template_id"],
            version=row["template_version"],
            variables=row["variables"] or {},
            language=row["language"],
            known_language=row["known_language"],
            time_zone=row["time_zone"],
            attributes=row["attributes"] or {},
            links=links,
        )
