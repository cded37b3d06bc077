"""Frequency caps: how often a person is reached within a rolling window, and when the next place is free."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `limit` messages within any `window`; `per` is the word for it."""

    per: str
    limit: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class NextPlace:
    """When the next place is free, and under which cap."""

    at: datetime
    cap: Cap


def next_place(taken: Sequence[datetime], caps: Sequence[Cap], now: datetime) -> NextPlace | None:
    """Return the next free place under all caps, or None when there is one now.

    `taken` is in order: when the person was reached, and when those who go first will reach them. A message at the very
    instant at which another leaves the window is within the cap.
    """
    full = [NextPlace(taken[-cap.limit] + cap.window, cap) for cap in caps if len(taken) >= cap.limit]
    late = [place for place in full if place.at > now]
    return max(late, key=lambda place: place.at) if late else None
