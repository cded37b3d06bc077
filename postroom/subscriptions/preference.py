"""What a person said about a kind of message over a channel, and who wrote it down."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from postroom.policy.preferences import EVERY, Frequency, Wish

Place = tuple[str, str]  # a type, `group:` and a group, or all of them; and a channel, or all of them


@dataclass(frozen=True, slots=True)
class Preference:
    """One row of what a person said."""

    notification_type: str
    channel: str
    enabled: bool
    frequency: Frequency
    updated_at: datetime | None = None

    @property
    def place(self) -> Place:
        """What it is about."""
        return self.notification_type, self.channel

    @property
    def wish(self) -> Wish:
        """What is wanted."""
        return Wish(self.enabled, self.frequency)


@dataclass(frozen=True, slots=True)
class NewPreference:
    """What is about to be written; without a frequency it is the one of the type."""

    notification_type: str = EVERY
    channel: str = EVERY
    enabled: bool = True
    frequency: Frequency | None = None

    @property
    def place(self) -> Place:
        """What it is about."""
        return self.notification_type, self.channel


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something: an API key of the tenant, or the person with the link from a mail."""

    api_key_id: UUID | None = None


PERSON = Author()
