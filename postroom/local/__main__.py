"""The local stack: `python -m postroom.local up` runs everything, `down` ends it from another terminal.

`run` carries out a command of `python -m postroom` against it, such as `run keys add demo --name reviewer`.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from postroom.local.roster import Roster
from postroom.local.settings import LocalSettings
from postroom.local.stack import CHECKOUT, Stack, python
from postroom.local.supervisor import Supervisor
from postroom.local.terminal import Terminal
from postroom.local.trouble import Trouble
from postroom.local.welcome import welcome

DOWN_PATIENCE_SECONDS = 120.0


def main() -> int:
    """Run one command; what a person can mend is told in a sentence, not in a traceback."""
    parser = argparse.ArgumentParser(prog="python -m postroom.local", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "run"])
    parser.add_argument("words", nargs=argparse.REMAINDER, help="of run: a command of python -m postroom")
    asked = parser.parse_args()
    command, words = asked.command, asked.words
    if words and command != "run":
        parser.error(f"{command} takes nothing else")
    terminal = Terminal()
    os.umask(0o077)  # logs, letters and the engine's file are nobody else's business
    try:
        settings = LocalSettings()
        if command == "run":
            return run(settings, words)
        if command == "down":
            terminal.say("postroom", down(settings))
        else:
            asyncio.run(up(settings, terminal))
    except Trouble as trouble:
        for line in str(trouble).splitlines():
            terminal.trouble(line)
        return 1
    except ValidationError as error:
        for problem in error.errors():
            terminal.trouble(f"POSTROOM_{str(problem['loc'][0]).upper()}: {problem['msg']} ({problem['input']!r})")
        return 1
    return 0


async def up(settings: LocalSettings, terminal: Terminal) -> None:
    """Run the stack until it is asked to stop."""
    stack = Stack.of(settings)
    terminal.say("postroom", f"starting on {stack.data_dir}; Ctrl-C stops")
    await Supervisor(stack.data_dir, stack.parts(), stack.environment()).run(lambda: welcome(stack))


def run(settings: LocalSettings, words: Sequence[str]) -> int:
    """Carry out a command of the operator's, told what the parts of the stack are told; returns its exit code.

    Raises:
        Trouble: there is no such stack.
    """
    if not settings.data_dir.expanduser().is_dir():
        raise Trouble(f"There is no stack in {settings.data_dir}: start one with `make up`.")
    told = Stack.of(settings).environment()
    return subprocess.run(python("postroom", *words), env=told, cwd=CHECKOUT, check=False).returncode


def down(settings: LocalSettings) -> str:
    """End the stack of the data folder, and what a killed one left."""
    data_dir = settings.data_dir.expanduser().resolve()
    if not data_dir.is_dir():
        return f"there is no stack in {data_dir}"
    roster = Roster(data_dir)
    if roster.end_supervisor(DOWN_PATIENCE_SECONDS):
        return "stopped; the data is kept"
    roster.take()
    left = roster.end_leftovers()
    roster.leave()
    return f"ended what a killed stack left running: {', '.join(left)}" if left else f"no stack runs on {data_dir}"


if __name__ == "__main__":
    sys.exit(main())
