"""A child of a renderer, as its parent holds it: asked, listened to, ended."""

import asyncio
import json
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import postroom
from postroom.rendering.frames import LARGEST_REPLY, LENGTH, LENGTHS, Spoken, answers, packed
from postroom.rendering.limits import RENDERINGS, SCRIPT_CHARACTERS, SCRIPTS
from postroom.rendering.speech import Line

BUFFER = 2**20
ORDER = 25  # renderings
PACKED_AT_ONCE = 30_000  # bytes
# Nothing of ours is in its environment: no address, no key.
ENVIRONMENT = {"PYTHONPATH": str(Path(postroom.__file__).parents[1]), "LC_ALL": "C.UTF-8"}


class Gone(Exception):
    """The child died, was killed, or says what nobody can read."""


class Child:
    """One process and the scripts it knows."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._known: OrderedDict[str, int] = OrderedDict()  # how long the sources of each are
        self._length = 0
        self._played = 0

    @classmethod
    async def start(cls, niceness: int) -> Self:
        """Start one; it is ready when it first answers.

        Raises:
            OSError: there is no room for another process.
        """
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "postroom.rendering.child", str(niceness))
        return cls(
            await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, env=ENVIRONMENT, cwd="/", limit=BUFFER
            )
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_worn(self) -> bool:
        """Whether it has rendered so much, or is so gone, that another one should take its place."""
        return self._played >= RENDERINGS or self._process.returncode is not None

    async def speak(self, lines: Sequence[Line], silence: float) -> AsyncIterator[list[Spoken]]:
        """Have some lines spoken, and tell the answers as they come, in order.

        Raises:
            Gone: it died, or said nothing for `silence` seconds.
        """
        self._played += len(lines)
        for at in range(0, len(lines), ORDER):  # it begins with the first while the others are being packed
            order = self._order(lines[at : at + ORDER])
            self._write(order)
            if len(order) > PACKED_AT_ONCE:  # others have their turn between two heavy ones
                await asyncio.sleep(0)
        left = len(lines)
        while left:
            spoken = await self._heard(silence)
            left -= len(spoken)
            yield spoken

    async def examine(self, texts: Sequence[Sequence[str]], silence: float) -> Mapping[str, Any]:
        """Have texts looked at.

        Raises:
            Gone: it died, or said nothing for `silence` seconds.
        """
        self._write(packed({"texts": texts}))
        try:
            async with asyncio.timeout(silence):
                (length,) = LENGTH.unpack(await self._read(LENGTH.size))
                found: dict[str, Any] = json.loads(await self._read(length))
                return found
        except (TimeoutError, ValueError, RecursionError) as error:
            raise Gone from error

    async def end(self) -> None:
        """Kill it, and see that it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def _order(self, lines: Sequence[Line]) -> bytes:
        """Spell an order; a script goes along when this child does not know it, and the oldest ones make room."""
        learn: dict[str, Mapping[str, str]] = {}
        for line in lines:
            if line.key not in self._known:
                learn[line.key] = line.sources
                self._known[line.key] = length = sum(map(len, line.sources.values()))
                self._length += length
            self._known.move_to_end(line.key)
        forget = []
        used = {line.key for line in lines}
        while len(self._known) > len(used) and (len(self._known) > SCRIPTS or self._length > SCRIPT_CHARACTERS):
            key, length = self._known.popitem(last=False)
            self._length -= length
            forget.append(key)
        items = [(line.key, line.language, line.zone, line.values) for line in lines]
        return packed({"learn": learn, "forget": forget, "items": items})

    def _write(self, order: bytes) -> None:
        """Write without waiting: a batch is bounded, and a child that waits to be heard would not read on."""
        if self._process.stdin is None:
            raise Gone
        try:
            self._process.stdin.write(order)
        except (OSError, RuntimeError) as error:
            raise Gone from error

    async def _heard(self, silence: float) -> list[Spoken]:
        try:
            async with asyncio.timeout(silence):
                header, body = LENGTHS.unpack(await self._read(LENGTHS.size))
                return list(answers(await self._read(header), await self._read(body)))
        except (TimeoutError, ValueError, TypeError, RecursionError) as error:
            raise Gone from error

    async def _read(self, count: int) -> bytes:
        if self._process.stdout is None or count > LARGEST_REPLY:
            raise Gone
        try:
            return await self._process.stdout.readexactly(count)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Gone from error
