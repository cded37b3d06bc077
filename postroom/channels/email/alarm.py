"""A time-out that is set for every answer and hardly ever rings, so that many of them share one timer of the loop."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Rings once when nobody cleared it in time; set anew, it forgets the time before.

    A timer of the loop costs as much as parsing an answer. This one is left to run while the alarm is cleared and set
    again, and looks, when it is over, for how long there is still to wait.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = 0.0

    def set(self, seconds: float) -> None:
        """Ring in so many seconds."""
        self._due = self._loop.time() + seconds
        if self._timer is None or self._looks_at > self._due:
            self._look_at(self._due)

    def clear(self) -> None:
        """Do not ring."""
        self._due = None

    def close(self) -> None:
        """Do not ring, and let the timer go."""
        self._due = None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _look_at(self, moment: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer, self._looks_at = self._loop.call_at(moment, self._look), moment

    def _look(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._loop.time() < self._due:
            self._look_at(self._due)
            return
        self._due = None
        self._ring()
