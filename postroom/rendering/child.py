"""`python -m postroom.rendering.child`: renders what its pipe tells it to, with no way out and little to spend."""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, NoReturn

from postroom.rendering.examination import examine
from postroom.rendering.frames import LENGTH, Spoken, packed, reply
from postroom.rendering.limits import CODE, CPU_SECONDS, INSPECTION_SECONDS, LOWEST, MEMORY, OPEN_FILES
from postroom.rendering.scripts import Script
from postroom.rendering.stage import Stage
from postroom.rendering.trouble import Code, Overdue, Trouble

FLUSH_SECONDS = 0.05
FLUSH_CHARACTERS = 1_000_000
KILL_AFTER = 2  # seconds of CPU beyond its time, where the interpreter never gets to ask
_DOORS = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "ctypes.", "pty.")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Player:
    """Knows the scripts it was sent, and plays them."""

    def __init__(self) -> None:
        self._stage = Stage()
        self._allowance = Allowance()
        self._sources: dict[str, dict[str, str]] = {}
        self._scripts: dict[str, Script | Trouble] = {}  # the compiled ones of them, the oldest first
        self._weights: dict[str, int] = {}

    def learn(self, sources: dict[str, dict[str, str]], forget: Sequence[str]) -> None:
        """Take new scripts, which are compiled when they are first played, and drop old ones."""
        for key in forget:
            self._sources.pop(key, None)
            self._drop(key)
        self._sources |= sources

    def play(self, item: Sequence[Any]) -> Spoken:
        """Speak one script to one person."""
        key, language, zone, values = item
        script = self._scripts.get(key)
        if script is None:
            script = self._compiled(key)
            self._keep(key, script)
        if isinstance(script, Trouble):
            return script
        try:
            self._allowance.grant(CPU_SECONDS)
            self._stage.speak(language, zone)
            return script.play(self._stage, values)
        except Overdue:
            return Trouble(Code.TIMEOUT, f"Rendering takes more than {CPU_SECONDS:g} s of computing.")

    def examine(self, texts: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Look at the texts of a template that is about to be kept."""
        try:
            self._allowance.grant(INSPECTION_SECONDS)
            return examine(self._stage, texts)
        except Overdue:
            return {"slow": True}

    def _keep(self, key: str, script: Script | Trouble) -> None:
        """Keep what was compiled; the oldest ones make room, for nobody's scripts may leave others no memory."""
        self._scripts[key] = script
        self._weights[key] = script.weight if isinstance(script, Script) else 0
        while sum(self._weights.values()) > CODE and len(self._scripts) > 1:
            self._drop(next(iter(self._scripts)))

    def _drop(self, key: str) -> None:
        self._scripts.pop(key, None)
        self._weights.pop(key, None)

    def _compiled(self, key: str) -> Script | Trouble:
        try:
            self._allowance.grant(INSPECTION_SECONDS)
            return Script.compile(self._stage, self._sources[key])
        except Overdue:
            return Trouble(Code.TIMEOUT, f"Compiling takes more than {INSPECTION_SECONDS:g} s.")


def main() -> None:
    """Serve until the other end of the pipe closes."""
    orders, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    player = Player()
    shut_in(int(sys.argv[1]))
    signal.signal(signal.SIGPROF, _overdue)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells everybody; when to end, the parent says
    while head := orders.read(LENGTH.size):
        order = json.loads(orders.read(*LENGTH.unpack(head)))
        if "texts" in order:
            out.write(packed(player.examine(order["texts"])))
        else:
            player.learn(order["learn"], order["forget"])
            _speak(player, order["items"], out)
        signal.setitimer(signal.ITIMER_PROF, 0)
        out.flush()


def _speak(player: Player, items: Sequence[Sequence[Any]], out: BinaryIO) -> None:
    """Answer in order, and soon: what was answered is not asked again when this process dies."""
    for group in _groups(player, items):
        out.write(reply(group))
        out.flush()


def _groups(player: Player, items: Sequence[Sequence[Any]]) -> Iterator[list[Spoken]]:
    group, length, since = list[Spoken](), 0, time.monotonic()
    for item in items:
        spoken = player.play(item)
        group.append(spoken)
        if not isinstance(spoken, Trouble):
            length += len(spoken.text or "") + len(spoken.html or "")
        if length > FLUSH_CHARACTERS or time.monotonic() - since > FLUSH_SECONDS:
            yield group
            group, length, since = [], 0, time.monotonic()
    if group:
        yield group


def shut_in(niceness: int) -> None:
    """Give up what rendering does not need: memory, files, the network, other programs."""
    os.nice(niceness)
    if niceness >= LOWEST and hasattr(os, "SCHED_IDLE"):  # Linux: whoever else wakes up goes first, at once
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # a limit that is lower already, or that this system does not have
            resource.setrlimit(what, (most, most))
    sys.addaudithook(_watch)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_DOORS) or (event == "open" and arguments[2] & _WRITING):
        raise PermissionError(event)


class Allowance:
    """CPU time for what comes now: first a signal, and where the interpreter never looks up, the kernel's end."""

    def __init__(self) -> None:
        self._until = 0

    def grant(self, seconds: float) -> None:
        """Let it compute for so long; asked before every rendering, so the kernel is told only now and then."""
        signal.setitimer(signal.ITIMER_PROF, seconds)
        needed = time.process_time() + seconds + KILL_AFTER
        if needed > self._until:
            self._until = int(needed) + KILL_AFTER
            _, hard = resource.getrlimit(resource.RLIMIT_CPU)
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_CPU, (self._until, hard))


def _overdue(_signal: int, _frame: object) -> NoReturn:
    raise Overdue


if __name__ == "__main__":
    main()
