"""Speaks SMTP over an open transport: strict replies, and one reply for each question or the connection is over."""

import asyncio
import re
from collections import deque
from dataclasses import dataclass

CLOSING = 421  # the one thing a server may say unasked (RFC 5321 section 3.8)
LINE_LIMIT = 8_192
REPLY_LIMIT = 32_768

_REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said: a code and its text, lines joined by line feeds."""

    code: int
    text: str

    @property
    def positive(self) -> bool:
        """Whether it is a plain yes (2yz)."""
        return self.code in range(200, 300)

    @property
    def temporary(self) -> bool:
        """Whether it is a "not now" (4yz)."""
        return self.code in range(400, 500)

    @property
    def permanent(self) -> bool:
        """Whether it is a "never" (5yz)."""
        return self.code in range(500, 600)

    @property
    def enhanced(self) -> str | None:
        """The RFC 3463 status, when there is one and it agrees with the code."""
        match = _ENHANCED.match(self.text)
        return match[1] if match and match[1][0] == str(self.code)[0] else None


class WireError(Exception):
    """The connection is over; `reason` is the product's word for why."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Wire(asyncio.Protocol):
    """One SMTP conversation after the greeting.

    Whatever cannot be paired with a question - a late answer, an injected line, half a line - ends the connection, so
    that no answer is ever credited to another message, as aiosmtplib up to 5.1.1 did after a time-out.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take over a transport that someone else has opened and authenticated."""
        self.lost: WireError | None = None
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._buffer = bytearray()
        self._texts: list[bytes] = []
        self._code: bytes | None = None
        self._size = 0
        transport.set_protocol(self)
        if transport.is_closing():
            self._lose(WireError("provider_unreachable", "The connection was closed."))

    @property
    def unsent(self) -> bool:
        """Whether bytes written here have not left the process yet."""
        return self._transport.get_write_buffer_size() > 0

    def ask(self, octets: bytes, replies: int = 1) -> list[asyncio.Future[Reply]]:
        """Write at once, and return the replies to come.

        Raises:
            WireError: nothing was written.
        """
        if self.lost:
            raise WireError(self.lost.reason, self.lost.detail)
        futures = [self._loop.create_future() for _ in range(replies)]
        self._waiting.extend(futures)
        self._transport.write(octets)
        return futures

    async def answer(self, future: asyncio.Future[Reply], patience: float) -> Reply:
        """Wait `patience` seconds for a reply; a silence or a cancelled wait ends the connection.

        Raises:
            WireError: there will be no reply.
        """
        timer = self._loop.call_later(patience, self.abort, f"No answer within {patience:g} s.")
        try:
            return await future
        except asyncio.CancelledError:
            self.abort("The wait was cancelled.")
            raise
        finally:
            timer.cancel()

    async def last_answer(self, future: asyncio.Future[Reply], patience: float) -> Reply:
        """Wait as `answer` does, but let no cancellation end the wait: the answer decides what the ledger will say."""
        timer = self._loop.call_later(patience, self.abort, f"No answer within {patience:g} s.")
        try:
            while True:
                try:
                    return await asyncio.shield(future)
                except asyncio.CancelledError:
                    if future.cancelled():
                        raise
        finally:
            timer.cancel()

    def abort(self, why: str) -> None:
        """End the connection now; bytes that have not left are dropped."""
        self._lose(WireError("provider_unreachable", why))
        self._transport.abort()

    def farewell(self) -> None:
        """End the connection politely, without waiting for the server's good-bye (RFC 5321 section 4.1.1.10)."""
        if not self.lost:
            self._transport.write(b"QUIT\r\n")
            self._lose(WireError("provider_unreachable", "The connection was closed."))
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Pair what arrived with the questions, in order."""
        self._buffer += data
        while not self.lost and (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).removesuffix(b"\r")
            del self._buffer[: end + 1]
            self._take(line)
        if not self.lost and self._buffer:
            if not self._waiting:
                self._garbled("The server spoke out of turn.")
            elif len(self._buffer) > LINE_LIMIT:
                self._garbled("The server's reply has no end.")

    def eof_received(self) -> bool:
        """Close with the server."""
        self._lose(WireError("provider_unreachable", "The server closed the connection."))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._lose(WireError("provider_unreachable", f"The connection broke off{f': {exc}' if exc else '.'}"))

    def _take(self, line: bytes) -> None:
        match = _REPLY_LINE.fullmatch(line)
        if not match or (self._code and match[1] != self._code) or len(line) > LINE_LIMIT:
            return self._garbled("The server's reply is not SMTP.")
        self._code = match[1]
        self._texts.append((match[3] or b"").strip())
        if match[2] == b"-":
            self._size += len(line) + 1
            if self._size > REPLY_LIMIT:
                self._garbled("The server's reply has no end.")
            return None
        reply = Reply(int(self._code), b"\n".join(self._texts).decode("utf-8", "replace"))
        self._code, self._texts, self._size = None, [], 0
        return self._pair(reply)

    def _pair(self, reply: Reply) -> None:
        if self._waiting:
            self._waiting.popleft().set_result(reply)
        elif reply.code == CLOSING:
            self._lose(WireError("provider_busy", reply.text))
            self._transport.close()
        else:
            self._garbled("The server answered a question nobody asked.")

    def _garbled(self, why: str) -> None:
        self._lose(WireError("protocol_error", why))
        self._transport.abort()

    def _lose(self, lost: WireError) -> None:
        if self.lost:
            return
        self.lost = lost
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(WireError(lost.reason, lost.detail))
                future.exception()  # a reply nobody waits for any more is no unhandled error
