"""Rate limits of one process: sliding windows of a minute, counted in memory.

The `limits` library decides; its own memory store starts a thread and walks every key each 10 ms under load, so the
counters live here: two windows, thrown away whole. Several API processes each allow the full rate.
"""

import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage.base import SlidingWindowCounterSupport, Storage
from limits.strategies import SlidingWindowCounterRateLimiter

from postroom.errors import TooMany

WINDOW_SECONDS = 60


class WindowCounters(Storage, SlidingWindowCounterSupport):
    """Counts of this window and of the one before it."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._window = 0
        self._current: dict[str, int] = {}
        self._previous: dict[str, int] = {}

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """Counting in memory has no errors of its own."""
        return ()

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count if the weighted sum of both windows has room."""
        previous, previous_left, current, _ = self.get_sliding_window(key, expiry)
        if int(previous * previous_left / expiry) + current + amount > limit:
            return False
        self.incr(key, expiry, amount)
        return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return count and remaining seconds of the previous window, then of the current one."""
        left = expiry - self._turn(expiry)
        return self._previous.get(key, 0), left, self._current.get(key, 0), left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:  # noqa: ARG002 - the library's signature
        """Forget a key."""
        self.clear(key)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count without asking; a negative amount gives back."""
        self._turn(expiry)
        count = self._current[key] = max(0, self._current.get(key, 0) + amount)
        return count

    def get(self, key: str) -> int:
        """Return the count of the current window."""
        return self._current.get(key, 0)

    def get_expiry(self, key: str) -> float:  # noqa: ARG002 - the library's signature
        """Return when the current window ends, in seconds since the epoch."""
        return float((self._window + 1) * WINDOW_SECONDS)

    def check(self) -> bool:
        """Memory is always there."""
        return True

    def reset(self) -> int:
        """Forget everything; returns how many keys that were."""
        count = len(self._current)
        self._current, self._previous = {}, {}
        return count

    def clear(self, key: str) -> None:
        """Forget a key."""
        self._current.pop(key, None)
        self._previous.pop(key, None)

    def _turn(self, expiry: int) -> float:
        """Move to the window of this moment; returns the seconds already spent of it."""
        window, spent = divmod(time.time(), expiry)
        if window != self._window:
            self._previous = self._current if window == self._window + 1 else {}
            self._current = {}
            self._window = int(window)
        return spent


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
    """So many a minute for each key."""

    def __init__(self, per_minute: int) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        self._counters = WindowCounters()
        self._limiter = SlidingWindowCounterRateLimiter(self._counters)

    def hit(self, *key: str) -> Standing:
        """Count one more, or refuse it."""
        allowed = self._limiter.hit(self._item, *key)
        stats = self._limiter.get_window_stats(self._item, *key)
        reset = max(1, round(stats.reset_time - time.time()))
        return Standing(allowed, self._item.amount, stats.remaining, reset)

    def give_back(self, *key: str) -> None:
        """Take one back that turned out not to count."""
        self._counters.incr(self._item.key_for(*key), WINDOW_SECONDS, -1)
