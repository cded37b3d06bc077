"""The sentences a carrier's timers carry in the engine's UI: what is awaited, in words, without names or addresses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from postroom.policy.telling import said_of

PLAN_LENGTH = 4
MINUTE = 60
HOUR = 3600
LIMITS = {"provider_limit": "limit", "provider_daily_limit": "daily limit"}


@dataclass(frozen=True, slots=True)
class Wait:
    """The next thing a carrier waits for, and when; `state` None means that no delivery exists yet."""

    state: str | None
    tries: int
    reason: str | None
    scheduled_at: datetime | None
    ending: bool
    channel: str
    wait: timedelta
    provider: str | None = None
    at: datetime | None = None
    told: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, row: Mapping[str, Any], wait: timedelta) -> Self:
        """Read the `upcoming` row of a look."""
        scheduled, at = row.get("scheduled_at"), row.get("at")
        return cls(
            state=row.get("state"),
            tries=row.get("tries") or 0,
            reason=row.get("reason"),
            scheduled_at=datetime.fromisoformat(scheduled) if scheduled else None,
            ending=bool(row.get("ending")),
            channel=str(row.get("channel")),
            wait=wait,
            provider=row.get("provider"),
            at=datetime.fromisoformat(at) if at else None,
            told=row.get("told") or {},
        )


def tell(wait: Wait) -> str:
    """Say what the timer is for: `retry 2 of 4 in 5 min`, `scheduled for 2026-11-21 08:00 UTC`."""
    soon = in_words(wait.wait)
    if wait.ending:
        return f"time to live of {wait.channel} ends in {soon}"
    if wait.reason in LIMITS and wait.at:
        place = f"{wait.channel} provider {wait.provider}" if wait.provider else f"the provider of {wait.channel}"
        return f"{place} is at its {LIMITS[wait.reason]} until {_clock(wait.at, wait.wait)}"
    if wait.state == "deferred":
        return f"retry {wait.tries + 1} of {PLAN_LENGTH} in {soon}"
    if wait.state in {"unknown", "held"}:
        return f"outcome unknown, asking again in {soon}"
    if wait.state in {"claimed", "handing_off"}:
        return f"a sender holds it, its lease ends in {soon}"
    return _pending(wait, soon)


def _pending(wait: Wait, soon: str) -> str:
    """What nobody has refused: it waits for policy, for a provider, or for its own time."""
    if wait.reason:
        by_policy = said_of(wait.reason, wait.told, wait.wait)
        return by_policy or f"{wait.reason.replace('_', ' ')}, trying again in {soon}"
    if wait.scheduled_at:
        return f"scheduled for {wait.scheduled_at:%Y-%m-%d %H:%M %Z}"
    return f"due in {soon}"


def _clock(at: datetime, wait: timedelta) -> str:
    """The time of day, with the date when it is far away."""
    spelled = "%H:%M:%S UTC" if wait < timedelta(days=1) else "%Y-%m-%d %H:%M UTC"
    return at.astimezone(UTC).strftime(spelled)


def in_words(wait: timedelta) -> str:
    """Spell a duration with its two largest units at most: `45 s`, `5 min`, `2 h 10 min`."""
    seconds = max(0, round(wait.total_seconds()))
    if seconds < MINUTE:
        return f"{seconds} s"
    if seconds < HOUR:
        return f"{round(seconds / MINUTE)} min"
    hours, rest = divmod(seconds, HOUR)
    return f"{hours} h {rest // MINUTE} min" if rest >= MINUTE else f"{hours} h"
