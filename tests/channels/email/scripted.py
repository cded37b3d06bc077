"""An SMTP server that does what a test says, and writes down every line it was told."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self

FEATURES = ("PIPELINING", "8BITMIME", "SIZE 50000000", "ENHANCEDSTATUSCODES")
PLAIN_FEATURES = ("8BITMIME", "SIZE 50000000")

DEFAULTS = {
    "BANNER": b"220 scripted ESMTP\r\n",
    "STARTTLS": b"220 2.0.0 go\r\n",
    "AUTH": b"235 2.7.0 welcome\r\n",
    "MAIL": b"250 2.1.0 ok\r\n",
    "RCPT": b"250 2.1.5 ok\r\n",
    "DATA": b"354 go\r\n",
    "BODY": b"250 2.0.0 queued as 1\r\n",
    "RSET": b"250 2.0.0 ok\r\n",
    "NOOP": b"250 2.0.0 ok\r\n",
    "QUIT": b"221 2.0.0 bye\r\n",
}
BUSY = b"421 4.3.2 busy\r\n"
NO_SENDER = b"503 5.5.1 MAIL first\r\n"
NOBODY = b"554 5.5.1 no valid recipients\r\n"


class Act(Enum):
    """What a server can do instead of answering."""

    DROP = "drop"
    HANG = "hang"


@dataclass(frozen=True)
class Late:
    """Answer after some seconds."""

    seconds: float
    reply: bytes


@dataclass(frozen=True)
class Then:
    """Answer at once, and say more when nobody asked."""

    reply: bytes
    seconds: float
    more: bytes


Move = bytes | Act | Late | Then


@dataclass(frozen=True)
class Received:
    """One transaction whose final dot arrived."""

    mail: bytes
    recipients: list[bytes]
    body: bytes


@dataclass
class Scripted:
    """Answers politely except where `script` says otherwise: moves per command, one for each time it is heard."""

    script: Mapping[str, Sequence[Move]] = field(default_factory=dict)
    features: Sequence[str] = FEATURES
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False

    def __post_init__(self) -> None:
        self.lines: list[bytes] = []
        self.received: list[Received] = []
        self.connections = 0
        self.open = 0
        self._moves = {name: list(moves) for name, moves in self.script.items()}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def verbs(self) -> list[str]:
        """What was said, without the arguments."""
        return [line.split(b" ")[0].strip().decode("latin-1").upper() for line in self.lines]

    async def __aenter__(self) -> Self:
        tls = self.tls if self.implicit_tls else None
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", 0, ssl=tls, limit=2**20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def push(self, name: str, *moves: Move) -> None:
        """Change the script while it runs."""
        self._moves.setdefault(name, []).extend(moves)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_Talk(self, reader, writer).run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def next_move(self, name: str, default: bytes) -> Move:
        """Take the next move of the script for a command, or be polite."""
        moves = self._moves.get(name)
        return moves.pop(0) if moves else default


class _Gone(Exception):
    """The server walks away."""


class _Talk:
    def __init__(self, server: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.mail, self.recipients = b"", list[bytes]()

    async def run(self) -> None:
        self.server.connections += 1
        self.server.open += 1
        try:
            with suppress(_Gone, ConnectionError, ssl.SSLError):
                await self.listen()
        finally:
            self.server.open -= 1
            self.writer.close()
            with suppress(ConnectionError, ssl.SSLError, TimeoutError):
                await asyncio.wait_for(self.writer.wait_closed(), 1)

    async def listen(self) -> None:
        await self.move("BANNER")
        while line := await self.reader.readline():
            self.server.lines.append(line)
            await self.obey(line)

    async def obey(self, line: bytes) -> None:
        verb = line.split(b" ")[0].strip().decode("latin-1").upper()
        if verb == "EHLO":
            offered = ["scripted", *self.server.features]
            lines = [f"250{'-' if at < len(offered) - 1 else ' '}{word}\r\n" for at, word in enumerate(offered)]
            await self.move("EHLO", "".join(lines).encode())
        elif verb == "DATA":
            if await self.move("DATA", None if self.recipients else NOBODY) == 354:
                await self.take_body()
        elif verb == "RCPT" and not self.mail:
            await self.move("RCPT", NO_SENDER)
        elif await self.move(verb if verb in DEFAULTS else "AUTH") == 250:
            self.note(verb, line)
        if verb == "STARTTLS" and self.server.tls:
            await self.writer.start_tls(self.server.tls)
        if verb == "QUIT":
            raise _Gone

    def note(self, verb: str, line: bytes) -> None:
        if verb == "MAIL":
            self.mail, self.recipients = line, []
        elif verb == "RCPT":
            self.recipients.append(line)
        elif verb == "RSET":
            self.mail, self.recipients = b"", []

    async def take_body(self) -> None:
        body: list[bytes] = []
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                raise _Gone
            body.append(line.removeprefix(b"."))
        self.server.received.append(Received(self.mail, self.recipients, b"".join(body)))
        self.mail, self.recipients = b"", []
        await self.move("BODY")

    async def move(self, name: str, default: bytes | None = None) -> int:
        move = self.server.next_move(name, default or DEFAULTS[name])
        if isinstance(move, Late):
            await asyncio.sleep(move.seconds)
            move = move.reply
        if isinstance(move, Then):
            asyncio.get_running_loop().call_later(move.seconds, self.writer.write, move.more)
            move = move.reply
        if move is Act.HANG:
            await asyncio.sleep(3600)
        if not isinstance(move, bytes):
            raise _Gone
        self.writer.write(move)
        await self.writer.drain()
        return int(move[:3]) if move[:3].isdigit() else 0
