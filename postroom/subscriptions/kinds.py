"""A notification type: a kind of message that a tenant declares, so that people can have their say about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.policy.preferences import Frequency


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for whoever said nothing; a channel goes before `enabled`."""

    enabled: bool = True
    channels: Mapping[ChannelKind, bool] = field(default_factory=dict)
    frequency: Frequency = Frequency.IMMEDIATE

    @classmethod
    def read(cls, value: Mapping[str, object]) -> "Defaults":
        """Read what is stored."""
        channels = value.get("channels")
        named = channels if isinstance(channels, Mapping) else {}
        return cls(
            enabled=value.get("enabled") is not False,
            channels={ChannelKind(name): bool(on) for name, on in named.items()},
            frequency=Frequency(str(value.get("frequency", Frequency.IMMEDIATE))),
        )

    def spelled(self) -> dict[str, object]:
        """Spell it as it is stored."""
        channels = {str(channel): on for channel, on in self.channels.items()}
        return {"enabled": self.enabled, "channels": channels, "frequency": str(self.frequency)}

    def on(self, channel: ChannelKind) -> bool:
        """Tell whether it goes over a channel."""
        return self.channels.get(channel, self.enabled)


@dataclass(frozen=True, slots=True)
class NewKind:
    """A type about to be declared."""

    name: str
    group: str
    message_class: MessageClass
    description: str | None = None
    defaults: Defaults = field(default_factory=Defaults)
    digest_template: str | None = None

    @property
    def title(self) -> str:
        """The name as people read it."""
        words = " ".join(self.name.replace("_", " ").replace("-", " ").split())
        return words[:1].upper() + words[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(NewKind):
    """A type as it is declared."""

    created_at: datetime
    updated_at: datetime
