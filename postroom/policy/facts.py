"""Everything a decision is made from, as it was read under the locks of the message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from postroom.contracts.vocabulary import MessageClass, Priority
from postroom.policy.caps import Cap
from postroom.policy.house import House
from postroom.policy.preferences import NO_WORD, Subject, Wish
from postroom.policy.quiet_hours import QuietHours
from postroom.policy.zones import UTC_NAME, Zone, find_zone


class Ground(StrEnum):
    """What lifts a rule."""

    SECURITY = "security"
    CRITICAL = "critical"
    SEND_NOW = "send_now"


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent; `digest` is one that tells of many, or one of a task: it goes into no digest."""

    subject: Subject
    priority: Priority
    expires_at: datetime
    send_now: bool = False
    digest: bool = False

    @property
    def grounds(self) -> frozenset[Ground]:
        """What may lift a rule for this message."""
        return _grounds(self.subject.message_class, self.priority, self.send_now)


@lru_cache
def _grounds(message_class: MessageClass, priority: Priority, send_now: bool) -> frozenset[Ground]:  # noqa: FBT001
    critical = priority is Priority.CRITICAL and message_class is not MessageClass.MARKETING
    held = {
        Ground.SECURITY: message_class is MessageClass.SECURITY,
        Ground.CRITICAL: critical,
        Ground.SEND_NOW: send_now,
    }
    return frozenset(ground for ground, holds in held.items() if holds)


@dataclass(frozen=True, slots=True)
class Recipient:
    """What is known of a person; `quiet_hours` None leaves them to the tenant."""

    time_zone: str | None = None
    quiet_hours: QuietHours | None = None
    paused_for_good: bool = False
    paused_until: datetime | None = None
    consent: Mapping[str, Any] = field(default_factory=dict)
    wishes: Mapping[tuple[str, str], Wish] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """One message, whom it is for, and what stands in its way.

    `suppressed` are the reasons of the lists its address is on, the first the one that counts. `taken` is when the
    person was reached and when those who go first will reach them, in order. Without a `recipient` the message is for
    an address alone, and only the lists have a say.
    """

    message: Message
    house: House
    recipient: Recipient | None = None
    default: Wish = NO_WORD
    suppressed: Sequence[str] = ()
    caps: tuple[Cap, ...] = ()
    taken: Sequence[datetime] = ()

    @property
    def zone(self) -> Zone | None:
        """The person's zone, or the tenant's; None where neither is known."""
        name = (self.recipient and self.recipient.time_zone) or self.house.time_zone
        return find_zone(name) if name else None

    @property
    def clock(self) -> Zone:
        """The zone by whose clock a digest closes: where none is known, UTC."""
        return self.zone or find_zone(UTC_NAME)

    @property
    def quiet_hours(self) -> QuietHours:
        """The person's windows, or the tenant's."""
        own = self.recipient.quiet_hours if self.recipient else None
        return self.house.quiet_hours if own is None else own
