"""What the person at the terminal sees: one line per event, each led by the name of its part."""

import os
import sys
from typing import TextIO

COLOURS = {"postgres": 34, "migrations": 36, "temporal": 35, "mailbox": 33, "api": 32, "worker": 96, "postroom": 1}
NAME_WIDTH = 10


class Terminal:
    """Writes lines; colours only where a terminal reads them and NO_COLOR (no-color.org) is not set."""

    def __init__(self, output: TextIO | None = None) -> None:
        self._output = output or sys.stdout
        self._coloured = self._output.isatty() and not os.environ.get("NO_COLOR")

    def say(self, name: str, text: str) -> None:
        """Write one line about a part."""
        self._write(f"{self._paint(name.ljust(NAME_WIDTH), COLOURS.get(name, 0))}  {text}")

    def trouble(self, text: str) -> None:
        """Write why the stack cannot go on."""
        self._write(f"{self._paint('postroom'.ljust(NAME_WIDTH), 31)}  {text}")

    def show(self, text: str) -> None:
        """Write a block as it is."""
        self._write(text)

    def _paint(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._coloured and colour else text

    def _write(self, text: str) -> None:
        try:
            print(text, file=self._output, flush=True)
        except (BrokenPipeError, ValueError, OSError):
            return  # the terminal is gone; the stack still ends in order
