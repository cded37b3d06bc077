"""Remembers that one receiver is away or wants rest, so that it costs nobody else anything."""

import asyncio

from postroom.channels.base import Answer, Verdict
from postroom.timing import Timing

RESTING = frozenset({429, 503})  # with a Retry-After that is meant for everybody
FAILURES = 5  # answers in a row that say the receiver is not well; one failed connection says enough


class Circuit:
    """Closed while the receiver answers; then open for a wait that doubles; then one message at a time tries."""

    def __init__(self, timing: Timing) -> None:
        self._first = timing.outage_first.total_seconds()
        self._last = timing.outage_last.total_seconds()
        self._longest_rest = timing.asked_wait_last.total_seconds()
        self._failures = 0
        self._pause = 0.0
        self._until = 0.0
        self._probing = False
        self.reason: str | None = None

    @property
    def wait(self) -> float:
        """Seconds until somebody may try; 0 means now."""
        if self._probing:
            return self._first
        return max(0.0, self._until - _now()) if self.reason else 0.0

    def enter(self) -> bool:
        """Ask to try; whoever may must `leave`."""
        if self.wait > 0:
            return False
        self._probing = self.reason is not None
        return True

    def leave(self, answer: Answer | None) -> None:
        """Learn from a try: None, or a message that was withdrawn, says nothing."""
        probed, self._probing = self._probing, False
        if answer is None or answer.verdict is Verdict.WITHDRAWN:
            return
        if answer.retry_after and answer.code in RESTING:
            self._open(answer.reason, min(answer.retry_after.total_seconds(), self._longest_rest))
        elif answer.verdict is Verdict.BUSY or (probed and _ails(answer)):
            self._fail(answer.reason)
        elif _ails(answer):
            self._failures += 1
            if self._failures >= FAILURES:
                self._fail("destination_failing")
        else:
            self._failures, self._pause, self.reason = 0, 0.0, None

    def _fail(self, reason: str) -> None:
        """Failures of tries that had begun before the first one ended count as that one."""
        if self.wait == 0:
            self._pause = min(self._last, self._pause * 2 or self._first)
            self._open(reason, self._pause)

    def _open(self, reason: str, seconds: float) -> None:
        self.reason = reason
        self._until = max(self._until, _now() + seconds)


def _ails(answer: Answer) -> bool:
    """Whether the receiver itself is not well: it did not answer, or said 5xx."""
    return answer.verdict is Verdict.DEFERRED and (answer.code is None or answer.code >= 500)  # noqa: PLR2004


def _now() -> float:
    return asyncio.get_running_loop().time()
