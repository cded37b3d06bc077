"""A small HTTP/1.1 keep-alive client on raw sockets: cheap enough to stay out of what it measures."""

import asyncio
from contextlib import suppress
from typing import cast

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"


class HttpConnection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    async def ask(self, request: bytes) -> int:
        """Send a whole request and return the status of its answer, once all of it has arrived.

        Servers close what rests for some seconds, sometimes in the moment of the next request: that one is repeated
        over a new connection.

        Raises:
            ConnectionError: the server closed the new connection.
        """
        rested = self._transport
        if rested is not None:
            with suppress(ConnectionError):
                return await self._say(rested, request)
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)
        return await self._say(transport, request)

    async def _say(self, transport: asyncio.Transport, request: bytes) -> int:
        self._buffer = b""
        self._answer = asyncio.get_running_loop().create_future()
        transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("The server closed the connection."))

    def data_received(self, data: bytes) -> None:
        """Complete the answer once its announced length is here."""
        self._buffer += data
        head_end = self._buffer.find(HEAD_END)
        if head_end < 0 or self._answer is None:
            return
        head = self._buffer[:head_end].lower()
        at = head.find(LENGTH)
        length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < head_end + len(HEAD_END) + length:
            return
        self._buffer = b""
        if not self._answer.done():
            self._answer.set_result(int(head[9:12]))
