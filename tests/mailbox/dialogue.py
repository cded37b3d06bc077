"""A client that says exactly the bytes it is told to, and hears whole replies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PATIENCE = 60.0


class Dialogue:
    """One connection to an SMTP server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int, *, greet: bool = True) -> "AsyncIterator[Dialogue]":
        """Connect; with `greet`, hear the banner and say EHLO."""
        dialogue = cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**24))
        try:
            if greet:
                assert (await dialogue.hear()).startswith("220")
                assert (await dialogue.ask("EHLO test")).startswith("250")
            yield dialogue
        finally:
            dialogue.writer.close()

    def say(self, data: bytes) -> None:
        """Write bytes."""
        self.writer.write(data)

    async def hear(self) -> str:
        """Read one reply, all its lines."""
        lines = []
        async with asyncio.timeout(PATIENCE):
            while True:
                line = (await self.reader.readline()).decode()
                lines.append(line.rstrip("\r\n"))
                if line[3:4] != "-":
                    return "\n".join(lines)

    async def codes(self, count: int) -> list[str]:
        """Read so many replies, and return their codes."""
        return [(await self.hear())[:3] for _ in range(count)]

    async def ask(self, line: str) -> str:
        """Say a command and hear its reply."""
        self.say(line.encode() + b"\r\n")
        return await self.hear()

    async def over(self) -> bool:
        """Wait for the server to close; whatever it still says is passed over."""
        async with asyncio.timeout(PATIENCE):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionResetError:
                pass
        return True

    async def begin(self, to: str = "ada@example.org", sender: str = "shop@example.org") -> list[str]:
        """Pipeline MAIL, RCPT and DATA; returns their codes."""
        self.say(f"MAIL FROM:<{sender}>\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode())
        return await self.codes(3)

    async def send(self, message: bytes, to: str = "ada@example.org") -> str:
        """Send one mail; returns the reply to the dot."""
        assert await self.begin(to) == ["250", "250", "354"]
        self.say(message + b".\r\n")
        return await self.hear()


def mail(message_id: str = "<one@example.org>", body: str = "Hello", **headers: str) -> bytes:
    """Return the bytes of a small mail; `subject="..."` and the like add headers."""
    fields = {"From": "Shop <shop@example.org>", "Message-ID": message_id} | {
        name.replace("_", "-").title(): value for name, value in headers.items()
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{head}\r\n{body}\r\n".encode()
