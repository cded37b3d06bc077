"""Runs all parts together: in order at the start, watched while they run, in reverse order at the end."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from postroom.local.keeper import Keeper
from postroom.local.parts import Part
from postroom.local.ports import require_free
from postroom.local.roster import SUPERVISOR, Roster
from postroom.local.terminal import Terminal

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Called once everything runs; returns the text that ends the start-up.
Welcome = Callable[[], str]


class Supervisor:
    """One stack on one data folder."""

    def __init__(self, data_dir: Path, parts: Sequence[Part], environment: Mapping[str, str]) -> None:
        self._terminal = Terminal()
        self._roster = Roster(data_dir)
        self._parts = parts
        logs = data_dir / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._keepers = {part.name: Keeper(part, environment, logs, (self._terminal, self._roster)) for part in parts}
        self._asked_to_stop = asyncio.Event()

    async def run(self, welcome: Welcome) -> None:
        """Run until a signal asks to stop; nothing is left running afterwards, whatever happens.

        Raises:
            Trouble: the stack could not be started.
        """
        self._roster.take()
        try:
            self._listen()
            if left := await asyncio.to_thread(self._roster.end_leftovers):
                self._terminal.say("postroom", f"ended what an earlier stack left running: {', '.join(left)}")
            require_free([port for part in self._parts for port in part.ports])
            self._roster.enter(SUPERVISOR, os.getpid())
            await self._run_parts(welcome)
        finally:
            self._roster.leave()

    async def _run_parts(self, welcome: Welcome) -> None:
        lives = [asyncio.create_task(self._life(keeper)) for keeper in self._keepers.values()]
        greeting = asyncio.create_task(self._greet(welcome))
        stop = asyncio.create_task(self._asked_to_stop.wait())
        watched: set[asyncio.Task[object]] = {*lives, greeting, stop}
        try:
            while not stop.done():
                done, watched = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            await self._stop_parts()
            for task in (*lives, greeting, stop):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    async def _life(self, keeper: Keeper) -> None:
        await keeper.keep([self._keepers[name] for name in keeper.part.after if name in self._keepers])

    async def _greet(self, welcome: Welcome) -> None:
        for keeper in self._keepers.values():
            await keeper.ready.wait()
        self._terminal.show(await asyncio.to_thread(welcome))

    async def _stop_parts(self) -> None:
        began = time.monotonic()
        self._terminal.say("postroom", "stopping")
        for keeper in reversed(self._keepers.values()):
            await keeper.stop()
        self._terminal.say("postroom", f"stopped in {time.monotonic() - began:.1f} s; the data is kept")

    def _listen(self) -> None:
        for number in ENDINGS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # started by nohup
            asyncio.get_running_loop().add_signal_handler(number, self._stop_on_signal)

    def _stop_on_signal(self) -> None:
        """The first signal stops in order; the second one waits for nobody."""
        if self._asked_to_stop.is_set():
            self._terminal.say("postroom", "asked again: killing everything")
            for keeper in self._keepers.values():
                keeper.kill()
        self._asked_to_stop.set()
