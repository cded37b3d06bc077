"""What applies to one kind of message over one channel, and why: said as policy will decide it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.policy.preferences import EVERY, GROUP, Frequency, Subject, Wish, consent_of, wish_of
from postroom.subscriptions.kinds import Kind
from postroom.subscriptions.preference import Place


class Why(StrEnum):
    """What decided."""

    SECURITY = "security"  # nobody can be without what keeps their account safe
    CONSENT = "consent"
    TYPE = "type"
    GROUP = "group"
    EVERYTHING = "everything"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Effective:
    """Whether it is sent, how often, and what says so."""

    enabled: bool
    frequency: Frequency
    because: Why


def effective(kind: Kind, channel: ChannelKind, wishes: Mapping[Place, Wish], consent: Mapping[str, Any]) -> Effective:
    """Decide from what is known.

    Consent that was withdrawn stops marketing whatever else was said, and nothing but marketing.
    """
    if kind.message_class is MessageClass.SECURITY:
        return Effective(enabled=True, frequency=Frequency.IMMEDIATE, because=Why.SECURITY)
    subject = Subject(kind.message_class, channel, kind.name, kind.group)
    usual = Wish(kind.defaults.on(channel), kind.defaults.frequency)
    _, wish = wish_of(subject, wishes, usual)
    if kind.message_class is MessageClass.MARKETING and consent_of(consent, kind.message_class, channel) is False:
        return Effective(enabled=False, frequency=wish.frequency, because=Why.CONSENT)
    return Effective(wish.enabled, wish.frequency, _why(next((name for name, _ in _said(subject, wishes)), None)))


def _said(subject: Subject, wishes: Mapping[Place, Wish]) -> list[Place]:
    return [place for place in subject.names() if place in wishes]


def _why(name: str | None) -> Why:
    if name is None:
        return Why.DEFAULT
    if name == EVERY:
        return Why.EVERYTHING
    return Why.GROUP if name.startswith(GROUP) else Why.TYPE
