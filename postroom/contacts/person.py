"""What may be known of a person, checked: addresses per channel, time zone, language, and what they agreed to."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from postroom.contacts.consent import Consents

# RFC 5646 section 2.1, without the grandfathered tags that were deprecated before 2009.
_LANGUAGE = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})"  # language
    r"(?:-[a-z]{4})?"  # script
    r"(?:-(?:[a-z]{2}|[0-9]{3}))?"  # region
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"  # variants
    r"(?:-[a-wy-z0-9](?:-[a-z0-9]{2,8})+)*"  # extensions
    r"(?:-x(?:-[a-z0-9]{1,8})+)?",  # private use
    re.ASCII | re.IGNORECASE,
)
_LANGUAGE_LENGTH = 64
_NOWHERE = {"Factory", "localtime"}  # no zone set, and whatever this machine is set to


@dataclass(frozen=True, slots=True)
class Person:
    """A contact about to be written; `consent` is only what is new, and without `tags` they stay as they are."""

    user_id: str
    addresses: Mapping[str, str] = field(default_factory=dict)
    time_zone: str | None = None
    language: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    consent: Consents = field(default_factory=dict)
    quiet_hours: Mapping[str, Any] | None = None
    tags: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """A person as a tenant knows them."""

    user_id: str
    addresses: Mapping[str, str]
    time_zone: str | None
    language: str | None
    attributes: Mapping[str, Any]
    consent: Mapping[str, Mapping[str, Any]]
    quiet_hours: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime
    tags: Sequence[str] = ()

    def person(self) -> Person:
        """Return what there would be to write to leave everything as it is."""
        return Person(
            self.user_id,
            self.addresses,
            self.time_zone,
            self.language,
            attributes=self.attributes,
            quiet_hours=self.quiet_hours,
        )


def is_time_zone(name: str) -> bool:
    """Tell whether this is a zone of the IANA database."""
    return name in _zones()


def is_language(tag: str) -> bool:
    """Tell whether this is a language tag (BCP 47)."""
    return len(tag) <= _LANGUAGE_LENGTH and _LANGUAGE.fullmatch(tag) is not None


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NOWHERE)
