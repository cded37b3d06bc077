"""What a person said they want to hear of, the most particular word first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from postroom.contracts.vocabulary import MessageClass

EVERY = "*"
GROUP = "group:"


class Frequency(StrEnum):
    """How often: one by one, or gathered."""

    IMMEDIATE = "immediate"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class Wish:
    """Whether, and how often."""

    enabled: bool = True
    frequency: Frequency = Frequency.IMMEDIATE


NO_WORD = Wish()  # of whoever said nothing about what nobody declared


@dataclass(frozen=True, slots=True)
class Subject:
    """What a wish may be about; a type that nobody declared has no group, and what names no type has neither."""

    message_class: MessageClass
    channel: str
    notification_type: str | None = None
    group: str | None = None

    def names(self) -> Iterator[tuple[str, str]]:
        """Spell the subject as preferences do, the most particular first."""
        for name in (self.notification_type, self.group and GROUP + self.group, EVERY):
            if name:
                yield name, self.channel
                yield name, EVERY


def wish_of(subject: Subject, wishes: Mapping[tuple[str, str], Wish], default: Wish) -> tuple[str, Wish]:
    """Return the wish that counts and what it is about; `default` where the person said nothing."""
    for name, channel in subject.names():
        if wish := wishes.get((name, channel)):
            return f"{name} over {channel}" if channel != EVERY else name, wish
    return "default", default


def consent_of(consent: Mapping[str, Any], message_class: str, channel: str) -> bool | None:
    """Return what a person said about a class over a channel; None for nothing.

    `consent` is `{"marketing": {"email": {"given": true, ...}}}`; a bare true or false is understood.
    """
    said = (consent.get(message_class) or {}).get(channel)
    given = said.get("given") if isinstance(said, Mapping) else said
    return given if isinstance(given, bool) else None


@lru_cache(maxsize=1_024)
def scopes_of(subject: Subject) -> Sequence[str]:
    """Under which names a message may be suppressed: for everything, its class, its type, its group.

    Security knows no lists of types and groups: what stops a one-time code is said about all of it.
    """
    scopes = ("all", str(subject.message_class))
    if subject.message_class is MessageClass.SECURITY:
        return scopes
    named = [("type:", subject.notification_type), (GROUP, subject.group)]
    return (*scopes, *(prefix + name for prefix, name in named if name))
