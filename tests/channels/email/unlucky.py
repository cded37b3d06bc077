"""An SMTP server that does anything at random, and keeps an honest diary of it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Self

GARBAGE = b"\x00\xffwhat?\r\n"
SILENCE_SECONDS = 0.4
EMPTY = b".\r\n"


class Gone(Exception):
    """The server hangs up."""


class Unlucky:
    """Whose body it saw, whose letter it took, what bytes.

    Every reply names the letter it is about, so that an answer which is told to another letter is found out.
    """

    def __init__(self, chance: Random, features: Sequence[str]) -> None:
        self.chance = chance
        self.features = features
        self.bodies: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self.contents: dict[str, bytes] = {}
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, chance: Random, features: Sequence[str]) -> AsyncIterator[Self]:
        """Run one until left."""
        unlucky = cls(chance, features)
        server = await asyncio.start_server(lambda r, w: Visit(unlucky, r, w).run(), "127.0.0.1", 0)
        unlucky.port = server.sockets[0].getsockname()[1]
        async with server:
            yield unlucky


class Visit:
    """One connection."""

    def __init__(self, server: Unlucky, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.letter, self.mailed, self.invited = "", False, False

    async def run(self) -> None:
        """Answer until one of the two has had enough."""
        self.writer.write(b"220 unlucky\r\n")
        try:
            while line := await self.reader.readline():
                await self.obey(line)
        except (Gone, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writer.close()

    async def obey(self, line: bytes) -> None:
        verb, _, rest = line.partition(b":")
        if line.startswith(b"EHLO"):
            lines = ["unlucky", *self.server.features]
            said = "".join(f"250{' ' if at == len(lines) - 1 else '-'}{word}\r\n" for at, word in enumerate(lines))
            self.writer.write(said.encode())
        elif verb == b"MAIL FROM":
            self.letter, self.invited = rest[1:].split(b"@")[0].decode(), False
            self.mailed = await self.moody(250)
        elif verb == b"RCPT TO":
            assert rest[1:].split(b"@")[0].decode() == self.letter
            self.invited = await self.moody(250) if self.mailed else self.say(503)
        elif line == b"DATA\r\n":
            if self.invited or self.server.chance.random() < 0.5:
                await self.take() if await self.moody(354) else None
            else:
                self.say(554)
        else:
            self.say(250)

    async def take(self) -> None:
        """Read a body and decide what becomes of it."""
        raw = b""
        while not (raw == EMPTY or raw.endswith(b"\r\n.\r\n")):
            raw += await self.reader.readuntil(b"\n")
        server = self.server
        if not self.invited:
            assert raw == EMPTY
            self.say(server.chance.choice((554, 250)))
            return
        server.bodies[self.letter] += 1
        server.contents[self.letter] = raw
        accepts = server.chance.random() < 0.8
        server.taken[self.letter] += accepts
        await self.moody(250 if accepts else server.chance.choice((451, 550)), lies=True)

    def say(self, code: int) -> bool:
        """Say a code about the letter."""
        self.writer.write(f"{code} {code // 100}.0.0 about {self.letter}.\r\n".encode())
        return code in {250, 354}

    async def moody(self, code: int, *, lies: bool = False) -> bool:
        """Say a code, or do something else; what was decided about a body may remain unsaid, but is not denied."""
        mood = self.server.chance.choices(MOODS, WEIGHTS)[0]
        if mood is refuse and lies:
            mood = drop
        return await mood(self, code)


async def answer(visit: Visit, code: int) -> bool:
    return visit.say(code)


async def refuse(visit: Visit, _code: int) -> bool:
    return visit.say(visit.server.chance.choice((450, 550, 503)))


async def late(visit: Visit, code: int) -> bool:
    await asyncio.sleep(visit.server.chance.random() / 20)
    return visit.say(code)


async def twice(visit: Visit, code: int) -> bool:
    return visit.say(code) and visit.say(code) if code == 354 else visit.say(code) | visit.say(code)


async def babble(visit: Visit, _code: int) -> bool:
    visit.writer.write(GARBAGE)
    raise Gone


async def drop(_visit: Visit, _code: int) -> bool:
    raise Gone


async def hang(_visit: Visit, _code: int) -> bool:
    await asyncio.sleep(SILENCE_SECONDS)
    raise Gone


MOODS: list[Callable[[Visit, int], Awaitable[bool]]] = [answer, refuse, late, twice, babble, drop, hang]
WEIGHTS = [0.86, 0.04, 0.03, 0.02, 0.02, 0.02, 0.01]
