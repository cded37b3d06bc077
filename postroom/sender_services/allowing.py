"""How much a service may take today: its quotas, and the ramp on which a new one is warmed up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from postroom.limits.allowance import Allowance

LONGEST_RAMP = 365  # days; no ramp takes longer, and no power of a factor grows past sense


@dataclass(frozen=True, slots=True)
class WarmUp:
    """A day's limit begins at `start` and is multiplied by `factor` every local midnight, up to the full quota."""

    start: int
    factor: float

    def limit(self, day: int, full: int) -> int:
        """Return the limit of a day; the first one is 0."""
        limit = float(self.start)
        for _ in range(min(day, LONGEST_RAMP)):
            if limit >= full:
                break
            limit *= self.factor
        return full if day >= LONGEST_RAMP else min(full, int(limit))


def days_between(since: datetime, now: datetime, zone: str) -> int:
    """Count the midnights of a zone from one moment to another."""
    there = ZoneInfo(zone)
    return max(0, (now.astimezone(there).date() - since.astimezone(there).date()).days)


def daily_limit(row: Mapping[str, Any], now: datetime) -> int | None:
    """Return what a service may take today; None is no limit."""
    full: int | None = row["per_day"]
    if full is None or row["warm_up_start"] is None:
        return full
    day = days_between(row["warm_up_since"], now, row["time_zone"])
    return WarmUp(row["warm_up_start"], row["warm_up_factor"]).limit(day, full)


def allowance_of(row: Mapping[str, Any], now: datetime) -> Allowance:
    """Return the limits of a service as they are today."""
    return Allowance(
        per_second=row["per_second"],
        per_minute=row["per_minute"],
        per_hour=row["per_hour"],
        per_day=daily_limit(row, now),
        zone=row["time_zone"],
    )
