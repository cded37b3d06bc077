"""One running process of a part: its log file, its beginning and its end."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from postroom.local.parts import Part

LOG_LIMIT_BYTES = 5_000_000
WATCH_SECONDS = 0.05
ASK_SECONDS = 0.1


class Log:
    """The file a part writes into by itself, so that nothing is lost when the supervisor is killed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        self._start = self._told = path.stat().st_size if path.exists() else 0

    def written(self) -> str:
        """What was written since this log was opened."""
        return self._read(self._start)[-LOG_LIMIT_BYTES:].decode(errors="replace")

    def new_lines(self) -> Iterator[str]:
        """Whole lines that were not returned before."""
        *lines, _unfinished = self._read(self._told).split(b"\n")
        for line in lines:
            self._told += len(line) + 1
            yield line.decode(errors="replace").rstrip()

    def last_line(self) -> str:
        """The last thing said, for a person who asks why it ended."""
        return next(
            (line.strip() for line in reversed(self.written().splitlines()) if line.strip()), "nothing was said"
        )

    def _read(self, offset: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read()


class Child:
    """A started process in a session of its own: the terminal's Ctrl-C does not reach it."""

    def __init__(self, part: Part, environment: Mapping[str, str], log_path: Path) -> None:
        self.part = part
        self.log = Log(log_path)
        with log_path.open("ab") as output:
            self._process = subprocess.Popen(
                part.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**environment, **part.environment},
                start_new_session=True,
                **part.options,
            )

    @property
    def pid(self) -> int:
        """Number of the process, and of its group."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is over."""
        return self._process.poll() is not None

    async def wait(self) -> int:
        """Wait for the end and return the exit code; a signal's number is negative. What it started goes with it."""
        while not self.ended:  # noqa: ASYNC110 - the end of a process is no event every system can announce
            await asyncio.sleep(WATCH_SECONDS)
        self.kill()
        return self._process.wait()

    async def wait_until_ready(self) -> bool:
        """Ask until the part says yes; False when it ended first."""
        while not self.ended:
            if await asyncio.to_thread(lambda: self.part.ready(self.log.written())):
                return True
            await asyncio.sleep(ASK_SECONDS)
        return False

    async def stop(self) -> None:
        """Say farewell and wait; kill it when it does not end in time."""
        if self.ended:
            return
        self._process.send_signal(self.part.farewell)
        try:
            await asyncio.wait_for(self.wait(), self.part.patience)
        except TimeoutError:
            self.kill()
            await self.wait()

    def kill(self) -> None:
        """Kill the process and everything it started."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def ending(code: int) -> str:
    """Say how a process ended."""
    if code >= 0:
        return f"ended by itself with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
