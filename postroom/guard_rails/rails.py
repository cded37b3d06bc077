"""The rails and what they say about numbers: pure, so that every limit can be tried."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

CHOICE = "guard_rails"  # the name under which a tenant's choice is kept


class Rail(StrEnum):
    """What is watched; a task is paused for `guard_` and this."""

    BOUNCE_RATE = "bounce_rate"
    COMPLAINT_RATE = "complaint_rate"
    POLICY_REFUSALS = "policy_refusals"
    RENDER_FAILURES = "render_failures"

    @property
    def reason(self) -> str:
        """Why a task is paused."""
        return f"guard_{self}"


class Level(StrEnum):
    """What happens."""

    WARN = "warn"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Share:
    """So many of a hundred, once there are enough to say so; None never warns, or never pauses."""

    warn_percent: float | None
    pause_percent: float | None
    minimum_sample: int

    @classmethod
    def read(cls, stored: Mapping[str, Any], default: "Share") -> Self:
        """Read what was chosen; what is left out is as before anybody chose."""
        return cls(**{one.name: stored.get(one.name, getattr(default, one.name)) for one in fields(cls)})


@dataclass(frozen=True, slots=True)
class Burst:
    """So many within a time."""

    pause_count: int | None
    within_minutes: int

    @classmethod
    def read(cls, stored: Mapping[str, Any], default: "Burst") -> Self:
        """Read what was chosen; what is left out is as before anybody chose."""
        return cls(**{one.name: stored.get(one.name, getattr(default, one.name)) for one in fields(cls)})


# Mailbox providers throttle at 5 % of unknown mailboxes and at 0.3 % of complaints, and ask to stay under 0.1 %.
BOUNCES = Share(warn_percent=3.0, pause_percent=5.0, minimum_sample=200)
COMPLAINTS = Share(warn_percent=0.1, pause_percent=0.3, minimum_sample=1_000)
REFUSALS = Burst(pause_count=50, within_minutes=10)
RENDERING = Share(warn_percent=None, pause_percent=2.0, minimum_sample=50)


@dataclass(frozen=True, slots=True)
class Limits:
    """A tenant's rails."""

    bounce_rate: Share = BOUNCES
    complaint_rate: Share = COMPLAINTS
    policy_refusals: Burst = REFUSALS
    render_failures: Share = RENDERING

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> Self:
        """Read what `PUT /settings/guard-rails` kept; None is a tenant who never chose."""
        stored = stored or {}
        return cls(
            Share.read(stored.get(Rail.BOUNCE_RATE) or {}, BOUNCES),
            Share.read(stored.get(Rail.COMPLAINT_RATE) or {}, COMPLAINTS),
            Burst.read(stored.get(Rail.POLICY_REFUSALS) or {}, REFUSALS),
            Share.read(stored.get(Rail.RENDER_FAILURES) or {}, RENDERING),
        )


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is known of a task: of how many the bad ones are, and the refusals within the burst's time."""

    accepted: int = 0
    rejected: int = 0
    bad_addresses: int = 0
    bounced: int = 0
    complained: int = 0
    worded: int = 0
    unworded: int = 0
    refusals: int = 0

    @classmethod
    def read(cls, stored: Mapping[str, int]) -> Self:
        """Read numbers that were kept."""
        return cls(**{one.name: stored.get(one.name, 0) for one in fields(cls)})

    def beyond(self, seen: "Numbers") -> "Numbers":
        """What has come since; a count that fell, because failed ones are sent again, begins anew."""
        return Numbers(
            **{one.name: max(0, getattr(self, one.name) - getattr(seen, one.name)) for one in fields(self)},
        )

    def lowered(self, seen: "Numbers") -> "Numbers":
        """What was seen, but never more than there is."""
        return Numbers(**{one.name: min(getattr(self, one.name), getattr(seen, one.name)) for one in fields(self)})


@dataclass(frozen=True, slots=True)
class Finding:
    """A rail that was touched, with the numbers."""

    rail: Rail
    level: Level
    count: int
    of: int | None
    limit: float

    def told(self) -> dict[str, Any]:
        """The numbers as they are told."""
        percent = {} if self.of is None else {"of": self.of, "percent": round(100 * self.count / self.of, 3)}
        return {"rail": str(self.rail), "count": self.count, **percent, "limit": self.limit}


def findings(limits: Limits, numbers: Numbers) -> Iterator[Finding]:
    """Say which rails these numbers touch, and how hard."""
    offered = numbers.accepted + numbers.rejected
    shares = (
        (Rail.BOUNCE_RATE, limits.bounce_rate, numbers.bad_addresses + numbers.bounced, offered),
        (Rail.COMPLAINT_RATE, limits.complaint_rate, numbers.complained, numbers.accepted),
        (Rail.RENDER_FAILURES, limits.render_failures, numbers.unworded, numbers.worded + numbers.unworded),
    )
    for rail, share, count, of in shares:
        if of < max(share.minimum_sample, 1) or not count:
            continue
        percent = 100 * count / of
        if share.pause_percent is not None and percent >= share.pause_percent:
            yield Finding(rail, Level.PAUSE, count, of, share.pause_percent)
        elif share.warn_percent is not None and percent >= share.warn_percent:
            yield Finding(rail, Level.WARN, count, of, share.warn_percent)
    burst = limits.policy_refusals
    if burst.pause_count is not None and numbers.refusals >= burst.pause_count:
        yield Finding(Rail.POLICY_REFUSALS, Level.PAUSE, numbers.refusals, None, burst.pause_count)
