"""Who runs on a data folder: one supervisor at a time, and every process it started, by number and start time."""

import fcntl
import json
import os
import signal
from pathlib import Path
from typing import TextIO

import psutil

from postroom.local.processes import lives, send_all, wait_gone, with_children
from postroom.local.trouble import Trouble

SUPERVISOR = "supervisor"
CLOCK_TOLERANCE_SECONDS = 2.0
LEFTOVER_SECONDS = 10.0


class Roster:
    """The file `processes.json` of a data folder, and the lock that a living supervisor holds."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._path = data_dir / "processes.json"
        self._lock: TextIO | None = None

    def take(self) -> None:
        """Become the folder's supervisor; the lock goes with the process, however it ends.

        Raises:
            Trouble: another one is at work here.
        """
        lock = (self._data_dir / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            other = self.processes().get(SUPERVISOR)
            raise Trouble(
                f"A stack already runs on {self._data_dir}{f' (process {other.pid})' if other else ''}. End it with "
                "`make down`, or set POSTROOM_DATA_DIR and the ports for a second one."
            ) from None
        self._lock = lock

    def end_leftovers(self) -> list[str]:
        """End what a killed supervisor left running; return the names."""
        left = {name: process for name, process in self.processes().items() if process.pid != os.getpid()}
        family = with_children(left.values())
        send_all(family, signal.SIGTERM)
        deaf = wait_gone(family, LEFTOVER_SECONDS)
        send_all(deaf, signal.SIGKILL)
        wait_gone(deaf, LEFTOVER_SECONDS)
        self._write({})
        return sorted(left)

    def enter(self, name: str, pid: int) -> None:
        """Note a process that was just started."""
        try:
            entry = [pid, psutil.Process(pid).create_time()]
        except psutil.NoSuchProcess:
            return
        self._write({**self._entries(), name: entry})

    def leave(self) -> None:
        """Give the folder back."""
        self._write({})
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def processes(self) -> dict[str, psutil.Process]:
        """Return the noted processes that still live; a number that was given to a stranger since is left out."""
        living = {}
        for name, (pid, started) in self._entries().items():
            try:
                process = psutil.Process(int(pid))
                same = abs(process.create_time() - started) < CLOCK_TOLERANCE_SECONDS
                if same and lives(process):
                    living[name] = process
            except psutil.NoSuchProcess:
                continue
        return living

    def end_supervisor(self, patience: float) -> bool:
        """Ask the folder's supervisor to stop and wait; False when there is none.

        Raises:
            Trouble: it did not stop in time.
        """
        supervisor = self.processes().get(SUPERVISOR)
        if supervisor is None:
            return False
        supervisor.send_signal(signal.SIGTERM)
        if wait_gone([supervisor], patience):
            raise Trouble(f"The stack did not stop within {patience:.0f} s; its process is {supervisor.pid}.")
        return True

    def _entries(self) -> dict[str, list[float]]:
        try:
            entries: dict[str, list[float]] = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return entries

    def _write(self, entries: dict[str, list[float]]) -> None:
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(entries))
        draft.replace(self._path)
