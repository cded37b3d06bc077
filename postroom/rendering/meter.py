"""Counts what one rendering does, so that it is refused long before it hurts; the clock is the last resort."""

from collections.abc import Sized

from postroom.rendering.limits import TURNS, WORK
from postroom.rendering.trouble import Code, Refused


class Meter:
    """One for a process, which renders one text at a time."""

    def __init__(self) -> None:
        self._turns = 0
        self._work = 0

    def reset(self) -> None:
        """Begin another rendering."""
        self._turns = TURNS
        self._work = WORK

    def turn(self, over: Sized) -> None:
        """Count the turns of a loop before its first one.

        Raises:
            Refused: all loops together take too many.
        """
        self._turns -= len(over)
        if self._turns < 0:
            raise Refused(Code.TOO_LARGE, f"All loops together may take {TURNS} turns.")

    def work(self, amount: int) -> None:
        """Count characters or items about to be read or written.

        Raises:
            Refused: filters and joins have handled too many.
        """
        self._work -= amount
        if self._work < 0:
            raise Refused(Code.TOO_LARGE, "Filters and joins handle more text than one message may need.")
