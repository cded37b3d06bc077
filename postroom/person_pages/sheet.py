"""What a person's page shows, and what comes back from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.policy.preferences import Frequency
from postroom.subscriptions.repository import FOREVER, Pause

ALL_MARKETING = str(MessageClass.MARKETING)  # the scope of a suppression
SHOWN = (ChannelKind.EMAIL, ChannelKind.IN_APP)  # webhooks reach machines


class PauseChoice(StrEnum):
    """For how long everything may be kept back."""

    NONE = "none"
    WEEK = "week"
    MONTH = "month"
    FOREVER = "forever"
    KEEP = "keep"  # as it is


SPANS = {PauseChoice.WEEK: timedelta(days=7), PauseChoice.MONTH: timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of message, and whether it comes over each channel."""

    name: str
    title: str
    description: str | None
    group: str
    on: Mapping[ChannelKind, bool]
    frequency: Frequency
    message_class: MessageClass


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page: of a person, or of an address alone, where there is less to choose."""

    sender: str
    language: str | None
    channel: ChannelKind
    named: bool
    marketing: bool
    rows: Sequence[Row] = ()
    paused_until: Pause = None

    def offers(self) -> frozenset[str]:
        """Return what of marketing comes over the channel of the link: types by name, and all of it."""
        types = {
            row.name for row in self.rows if row.message_class is MessageClass.MARKETING and row.on.get(self.channel)
        }
        return frozenset(types | ({ALL_MARKETING} if self.marketing else set()))


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """What one click is about: the type of that title, or all marketing."""

    sender: str
    language: str | None
    channel: ChannelKind
    title: str | None


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person chose: for each type and channel they touched whether, how often, and what holds for all."""

    on: Mapping[tuple[str, ChannelKind], bool]
    frequencies: Mapping[str, Frequency]
    marketing: bool | None
    pause: PauseChoice

    def paused_until(self, now: datetime) -> Pause:
        """Until when everything is kept back from now on; `KEEP` is not asked."""
        if self.pause is PauseChoice.FOREVER:
            return FOREVER
        return now + SPANS[self.pause] if self.pause in SPANS else None
