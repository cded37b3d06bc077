"""A local stack as a person runs it: `python -m postroom.local up` in a process of its own, its words in a file."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from postroom.local.processes import lives, with_children
from tests.local.waiting import eventually, free_ports

CHECKOUT = Path(__file__).parents[2]
PORTS = ("API", "TEMPORAL", "TEMPORAL_UI", "MAILBOX_SMTP", "MAILBOX_HTTP")
START_SECONDS = 60.0
STOP_SECONDS = 60.0


class RunningStack:
    """One data folder and five ports; may be started, ended and killed many times."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.process: subprocess.Popen[bytes] | None = None
        self._words = data_dir.parent / f"{data_dir.name}.words"
        self._words.touch()

    def command(self, *words: str, **settings: str) -> subprocess.Popen[bytes]:
        """Run one command of the stack on this folder; its words go to the file."""
        ports = {f"POSTROOM_{part}_PORT": str(number) for part, number in self.ports.items()}
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("POSTROOM_", "DATABASE_URL"))}
        with self._words.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "postroom.local", *words],
                cwd=CHECKOUT,
                env={**kept, "POSTROOM_DATA_DIR": str(self.data_dir), **ports, **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def start(self) -> str:
        """Start and return what was said until the welcome."""
        self._words.write_bytes(b"")
        self.process = process = self.command("up")
        eventually(lambda: "Ctrl-C stops everything" in self.words() or process.poll() is not None, START_SECONDS)
        assert process.poll() is None, self.words()
        return self.words()

    def words(self) -> str:
        """Everything said since the last start."""
        return self._words.read_text()

    def family(self) -> list[psutil.Process]:
        """The supervisor and every process below it."""
        assert self.process is not None
        return with_children([psutil.Process(self.process.pid)])

    def part(self, name: str) -> psutil.Process:
        """The process of a part that runs now."""
        pid, _started = json.loads((self.data_dir / "processes.json").read_text())[name]
        return psutil.Process(pid)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def end(self) -> None:
        """End it however it stands, through the command a person would use."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        assert self.command("down").wait(STOP_SECONDS) == 0

    def demo_key(self) -> str:
        """The key that was printed."""
        found = re.search(r"pr_[0-9A-Za-z]+", self.words())
        assert found is not None
        return found[0]


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them lives."""
    return not any(lives(process) for process in processes)
