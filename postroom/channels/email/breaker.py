"""Remembers that a provider is away, so that it is tried again by one message at a time and not by all of them."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta

from postroom.channels.base import Answer, Phase, Verdict
from postroom.channels.email.drops import DROPPED
from postroom.timing import Timing

log = logging.getLogger(__name__)


class Breaker:
    """Closed while the provider answers; after a failure open for a wait that doubles; then one probe decides."""

    def __init__(self, timing: Timing) -> None:
        self._first = timing.outage_first.total_seconds()
        self._last = timing.outage_last.total_seconds()
        self._pause = 0.0
        self._until = 0.0
        self._probe: object | None = None  # whose try decides
        self._outage: Answer | None = None

    @property
    def wait(self) -> float:
        """Seconds until somebody may try; 0 means now."""
        if self._probe is not None:
            return self._first
        return max(0.0, self._until - _now()) if self._outage else 0.0

    def outage(self) -> Answer:
        """Say why the provider is away, with the time to the next probe; the words it used were for somebody else."""
        known = self._outage or Answer(Verdict.UNAVAILABLE, Phase.CONNECT, "provider_unreachable")
        return replace(known, phase=Phase.CONNECT, detail=None, retry_after=timedelta(seconds=self.wait))

    def enter(self, visitor: object) -> bool:
        """Ask to try; whoever may must `leave`. While the provider is away, only one may at a time."""
        if self.wait > 0:
            return False
        if self._outage:
            self._probe = visitor
        return True

    def leave(self, visitor: object, answer: Answer | None) -> None:
        """Learn from a try: None when it ended without an answer. A letter that is dropped by itself says nothing."""
        probed = self._probe is visitor
        if probed:
            self._probe = None
        if answer is None or answer.reason == DROPPED:
            return
        if answer.verdict is not Verdict.UNAVAILABLE:
            if self._outage:
                log.info("%s is back", answer.provider or self._outage.provider)
            self._outage, self._pause, self._probe = None, 0.0, None
        elif probed or self._outage is None:
            if self._outage is None:
                log.warning("%s is away (%s); one message at a time tries again", answer.provider, answer.reason)
            # Failures of tries that had begun before the first one ended count as that one.
            self._pause = min(self._last, self._pause * 2 or self._first)
            self._until = _now() + self._pause
            self._outage = answer


def _now() -> float:
    return asyncio.get_running_loop().time()
