"""Consent: whether a person wants what no law lets us send unasked, per class and channel, and how we know."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from postroom.contracts.vocabulary import ChannelKind, MessageClass

Stored = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Given:
    """One entry: given or withdrawn, when, and where the person said so."""

    given: bool
    at: datetime
    source: str | None = None

    def spelled(self) -> dict[str, Any]:
        """Spell it as it is stored."""
        entry: dict[str, Any] = {"given": self.given, "at": self.at.isoformat()}
        return entry | ({"source": self.source} if self.source is not None else {})


Consents = Mapping[MessageClass, Mapping[ChannelKind, Given]]


def marketing(given: Given, channel: ChannelKind) -> Consents:
    """One word about marketing over one channel."""
    return {MessageClass.MARKETING: {channel: given}}


def merged(stored: Stored, said: Consents) -> dict[str, dict[str, Any]]:
    """Add what was said to what is known.

    Of two entries about the same thing the later one stands: a list that was exported before somebody unsubscribed does
    not subscribe them again.
    """
    result = {name: dict(channels) for name, channels in stored.items()}
    for message_class, channels in said.items():
        known = result.setdefault(str(message_class), {})
        for channel, given in channels.items():
            if (earlier := known.get(str(channel))) is None or datetime.fromisoformat(earlier["at"]) <= given.at:
                known[str(channel)] = given.spelled()
    return result


def changes(before: Stored, after: Stored) -> Iterator[tuple[str, Any, Any]]:
    """Name each channel of marketing whose entry is another one now, with both."""
    old, new = (one.get(MessageClass.MARKETING, {}) for one in (before, after))
    for channel in new:
        if old.get(channel) != new[channel]:
            yield channel, old.get(channel), new[channel]
