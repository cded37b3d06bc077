"""What a tenant decided for everybody: zone, quiet hours, caps, and whether marketing needs consent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.policy.caps import Cap
from postroom.policy.preferences import Subject
from postroom.policy.quiet_hours import DEFAULT, QuietHours

CHOICE = "policy"  # the name under which a tenant's choice is kept
PER_HOUR = 100
PER_DAY = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """How many messages of one class a person gets over one channel."""

    hour: int = PER_HOUR
    day: int = PER_DAY

    @classmethod
    def read(cls, stored: Mapping[str, Any], base: "Limits") -> Self:
        """Read `{"hour": 100, "day": 500}`; what is left out is `base`'s."""
        return cls(stored.get("hour") or base.hour, stored.get("day") or base.day)


@dataclass(frozen=True, slots=True)
class House:
    """A tenant's policy; without a zone, quiet hours hold only where a contact's is known."""

    time_zone: str | None = None
    quiet_hours: QuietHours = DEFAULT
    limits: Limits = Limits()
    class_limits: Mapping[str, Limits] = field(default_factory=dict)
    marketing_requires_consent: bool = False

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> Self:
        """Read what `PUT /settings/policy` kept; None is a tenant who never chose."""
        stored = stored or {}
        caps: Mapping[str, Any] = stored.get("caps") or {}
        limits = Limits.read(caps, Limits())
        return cls(
            time_zone=stored.get("time_zone"),
            quiet_hours=QuietHours.read(stored.get("quiet_hours") or {}),
            limits=limits,
            class_limits={name: Limits.read(one, limits) for name, one in (caps.get("per_class") or {}).items() if one},
            marketing_requires_consent=bool(stored.get("marketing_requires_consent")),
        )

    def caps(self, subject: Subject, hour: timedelta, day: timedelta) -> tuple[Cap, ...]:
        """The caps of a class; `hour` and `day` are what these words are worth at the deployment's scale.

        None for security, which is never kept, nor for a webhook, which reaches no person.
        """
        message_class = subject.message_class
        if message_class is MessageClass.SECURITY or subject.channel == ChannelKind.WEBHOOK:
            return ()
        limits = self.class_limits.get(message_class, self.limits)
        return (Cap("hour", limits.hour, hour), Cap("day", limits.day, day))
