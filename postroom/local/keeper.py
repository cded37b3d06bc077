"""Keeps one part running: starts it when its time has come, starts it again whenever it ends."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from postroom.local.child import Child, ending
from postroom.local.parts import Part
from postroom.local.roster import Roster
from postroom.local.terminal import Terminal
from postroom.local.trouble import Trouble

TELL_SECONDS = 0.5
TELL_LINES = 5  # per look: a flood belongs in the log
SLOW_START_SECONDS = 15.0
STEADY_SECONDS = 10.0  # lived longer than this: the next end is a new story
PAUSES = (0.0, 0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
LONGEST_PAUSE_AFTER_KILL = 1.0  # somebody else ended it: nothing is wrong with the part


class Keeper:
    """The life of one part, from the first start to the farewell."""

    def __init__(self, part: Part, environment: Mapping[str, str], logs: Path, voice: tuple[Terminal, Roster]) -> None:
        self.part = part
        self.ready = asyncio.Event()
        self._environment = environment
        self._log_path = logs / f"{part.name}.log"
        self._terminal, self._roster = voice
        self._child: Child | None = None
        self._stopping = False
        self._falls = 0

    async def keep(self, before: list["Keeper"]) -> None:
        """Run the part until `stop`, once the ones before it are ready.

        Raises:
            Trouble: a program that runs once has failed.
        """
        for other in before:
            await other.ready.wait()
        code: int | None = None
        while not self._stopping:
            began = time.monotonic()
            child = await self._start()
            if self.part.once:
                await self._finish(child, began)
                return
            teller = asyncio.create_task(self._tell(child))
            try:
                await self._greet(child, began, code)
                code = await child.wait()
            finally:
                teller.cancel()
            if not self._stopping:
                await self._fall(child, code, time.monotonic() - began)

    async def stop(self) -> None:
        """End the part for good."""
        self._stopping = True
        if self._child is not None:
            await self._child.stop()

    def kill(self) -> None:
        """End the part at once."""
        self._stopping = True
        if self._child is not None:
            self._child.kill()

    async def _start(self) -> Child:
        if self.part.prepare is not None:
            await asyncio.to_thread(self.part.prepare)
        self._child = Child(self.part, self._environment, self._log_path)
        self._roster.enter(self.part.name, self._child.pid)
        return self._child

    async def _finish(self, child: Child, began: float) -> None:
        code = await child.wait()
        if self._stopping:
            return
        if code != 0:
            raise Trouble(f"{self.part.name} failed: {child.log.last_line()} (all of it is in {self._log_path})")
        self._terminal.say(self.part.name, f"done in {time.monotonic() - began:.1f} s")
        self.ready.set()

    async def _greet(self, child: Child, began: float, previous: int | None) -> None:
        """Say that the part is ready, and why it had to be started again."""
        waiting = asyncio.create_task(child.wait_until_ready())
        done, _ = await asyncio.wait({waiting}, timeout=SLOW_START_SECONDS)
        if not done:
            self._terminal.say(self.part.name, f"is slow to start: {child.log.last_line()} (log: {self._log_path})")
        if not await waiting:
            return
        seconds = f"{time.monotonic() - began:.1f} s"
        if previous is None:
            self._terminal.say(self.part.name, f"ready in {seconds}")
        elif self._falls <= 1:
            self._terminal.say(self.part.name, f"{ending(previous)}; running again after {seconds}")
        else:
            self._terminal.say(self.part.name, f"running again after {seconds}")
        self.ready.set()

    async def _fall(self, child: Child, code: int, lived: float) -> None:
        """Wait before the next start: longer each time when the part fails by itself again and again."""
        self._falls = 1 if lived > STEADY_SECONDS else self._falls + 1
        pause = PAUSES[min(self._falls, len(PAUSES)) - 1]
        if code < 0:
            pause = min(pause, LONGEST_PAUSE_AFTER_KILL)
        if self._falls > 1:
            self._terminal.say(
                self.part.name,
                f"{ending(code)} ({self._falls} times in a row): {child.log.last_line()}; "
                f"starting it again {f'in {pause:.0f} s' if pause else 'now'} (log: {self._log_path})",
            )
        await asyncio.sleep(pause)

    async def _tell(self, child: Child) -> None:
        """Repeat on the terminal what is worth telling."""
        while self.part.telling is not None:
            found = [match["text"] for line in child.log.new_lines() if (match := self.part.telling.match(line))]
            for text in found[:TELL_LINES]:
                self._terminal.say(self.part.name, text)
            if len(found) > TELL_LINES:
                self._terminal.say(
                    self.part.name, f"... and {len(found) - TELL_LINES} more such lines in {self._log_path}"
                )
            await asyncio.sleep(TELL_SECONDS)
