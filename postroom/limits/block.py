"""Room that one process has reserved from a provider's windows: used one by one, and given back when it is not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from postroom.limits.allowance import Window
from postroom.limits.reservations import Reservation

SLACK_SECONDS = 0.005  # what a late timer may catch up of the pace


@dataclass(frozen=True, slots=True)
class Token:
    """The right to hand off one message; it names the windows it was counted in."""

    starts: Mapping[Window, datetime]


@dataclass(slots=True)
class Block:
    """What is in hand. Moments are the loop's; `until` is the end of the shortest window.

    `keep_until` is how long it is kept when nobody asks. `pace` seconds lie between two tokens, so that the limit of a
    second is not used up in its first moment.
    """

    pace: float = 0.0
    left: int = 0
    taken: int = 0
    until: float = 0.0
    keep_until: float = 0.0
    next_at: float = 0.0
    starts: dict[Window, datetime] = field(default_factory=dict)
    unused: dict[Window, tuple[datetime, int]] = field(default_factory=dict)

    def fill(self, reservation: Reservation, until: float, keep_until: float) -> None:
        """Take over what was reserved."""
        self.starts = {window: standing.start for window, standing in reservation.windows.items()}
        self.left, self.taken = reservation.count, 0
        self.until, self.keep_until = until, keep_until

    def take(self, now: float) -> Token:
        """Take one; there must be one."""
        self.left -= 1
        self.taken += 1
        self.next_at = max(self.next_at, now - SLACK_SECONDS) + self.pace
        return Token(self.starts)

    def give_back(self, token: Token, now: float) -> None:
        """Take a token back: for the next one who asks while the block lasts, else for its windows that still run."""
        if token.starts == self.starts and now < self.until:
            self.left += 1
            self.taken -= 1
        else:
            self._return(token.starts, 1)

    def expire(self) -> None:
        """Put aside what is left, to be given back."""
        self._return(self.starts, self.left)
        self.left = 0

    def hand_over(self) -> Mapping[Window, tuple[datetime, int]]:
        """End the block; return what is to be given back and forget it: given back twice, it would be too much."""
        self.until = 0.0
        unused, self.unused = self.unused, {}
        return unused

    def _return(self, starts: Mapping[Window, datetime], count: int) -> None:
        for window, start in starts.items():
            since, known = self.unused.get(window, (start, 0))
            if count and start >= since:
                self.unused[window] = (start, count + (known if start == since else 0))
