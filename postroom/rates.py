"""Rate limits of one process: sliding-window counters in memory.

Own code on the hottest path: the memory store of the `limits` library starts a thread and walks every key each 10 ms
under load, and asks twice per request. Several API processes each allow the full rate.
"""

import time
from dataclasses import dataclass
from math import ceil

from postroom.errors import TooMany

WINDOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands: the numbers of the RateLimit header fields; `reset` is in seconds from now."""

    allowed: bool
    limit: int
    remaining: int
    reset: int

    def tighter(self, other: "Standing | None") -> "Standing":
        """Return the one that will refuse first."""
        return self if other is None or self.remaining <= other.remaining else other


class RateExceeded(TooMany):
    """A rate was used up; `standing` holds the numbers for the header fields."""

    def __init__(self, detail: str, code: str, standing: Standing) -> None:
        super().__init__(detail, code=code, retry_after=standing.reset)
        self.standing = standing


class Rate:
    """So many a minute for each key.

    The count is this window's plus the previous one's share that still lies within the last minute. Two windows are
    kept and thrown away whole, so that forgetting a key costs nothing.
    """

    def __init__(self, per_minute: int) -> None:
        self._limit = per_minute
        self._window = 0
        self._current: dict[object, int] = {}
        self._previous: dict[object, int] = {}

    def hit(self, key: object, weight: int = 1) -> Standing:
        """Count one more, or as many as it weighs, or refuse it."""
        left = WINDOW_SECONDS - self._turn()
        current = self._current.get(key, 0)
        count = current + ceil(self._previous.get(key, 0) * left / WINDOW_SECONDS)
        allowed = count + weight <= self._limit
        if allowed:
            self._current[key] = current + weight
            count += weight
        return Standing(allowed, self._limit, max(0, self._limit - count), self._reset(key, left))

    def give_back(self, key: object) -> None:
        """Take one back that turned out not to count."""
        self._turn()
        if current := self._current.get(key, 0):
            self._current[key] = current - 1

    def _reset(self, key: object, left: float) -> int:
        """Return after how many seconds there is room again: the previous window's share shrinks all the time."""
        if previous := self._previous.get(key, 0):
            return max(1, round(min(left, WINDOW_SECONDS / previous)))
        return max(1, round(left))

    def _turn(self) -> float:
        """Move to the window of this moment; returns the seconds already spent of it."""
        window, spent = divmod(time.monotonic(), WINDOW_SECONDS)
        if window != self._window:
            self._previous = self._current if window == self._window + 1 else {}
            self._current = {}
            self._window = int(window)
        return spent
