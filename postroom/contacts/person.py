"""What may be known of a person, checked: addresses per channel, time zone, language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

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
    """A contact about to be written."""

    user_id: str
    addresses: Mapping[str, str]
    time_zone: str | None = None
    language: str | None = None


def is_time_zone(name: str) -> bool:
    """Tell whether this is a zone of the IANA database."""
    return name in _zones()


def is_language(tag: str) -> bool:
    """Tell whether this is a language tag (BCP 47)."""
    return len(tag) <= _LANGUAGE_LENGTH and _LANGUAGE.fullmatch(tag) is not None


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NOWHERE)
