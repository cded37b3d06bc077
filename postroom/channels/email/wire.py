"""Speaks SMTP over an open transport: strict replies, and one reply for each question or the connection is over."""

import asyncio
import re
from collections import deque
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from postroom.channels.email.alarm import Alarm
from postroom.channels.email.replies import CLOSING, Question, Reply, WireError

LINE_LIMIT = 8_192
REPLY_LIMIT = 32_768

_REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)


class _Line(NamedTuple):
    reply: Reply
    goes_on: bool


class Wire(asyncio.Protocol):
    """SMTP conversations after the greeting, one after the other.

    Whatever cannot be paired with a question - a late answer, an injected line, half a line - ends the connection, so
    that no answer is ever credited to another message, as aiosmtplib up to 5.1.1 did after a time-out.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take over a transport that someone else has opened and authenticated."""
        self.lost: WireError | None = None
        self._transport = transport
        self._patience = 0.0
        self._silence = Alarm(self._fall_silent)
        self._waiting: deque[Question] = deque()
        self._buffer = b""
        self._said: list[Reply] = []  # the lines of a reply that goes on
        self._size = 0
        transport.set_protocol(self)
        if transport.is_closing():
            self._lose(WireError("provider_unreachable", "The connection was closed."))

    @property
    def unsent(self) -> bool:
        """Whether bytes written here have not left the process yet."""
        return self._transport.get_write_buffer_size() > 0

    def ask(self, octets: bytes, *awaited: int) -> list[Question]:
        """Write at once what holds one question or more, each with so many replies to come."""
        questions = [Question(replies) for replies in awaited]
        if self.lost:
            for question in questions:
                question.lose(self.lost)
            return questions
        self._waiting.extend(questions)
        self._transport.write(octets)
        return questions

    async def heard(self, question: Question, patience: float) -> None:
        """Wait `patience` seconds for the replies; a silence or a cancelled wait ends the connection."""
        if question.over:
            return
        self._listen(patience)
        try:
            await question.end()
        except asyncio.CancelledError:
            self.abort("The wait was cancelled.")
            raise
        finally:
            self._silence.clear()

    async def heard_at_last(self, question: Question, patience: float) -> None:
        """Wait as `heard` does, but let no cancellation end the wait: the answer decides what the ledger will say."""
        if not question.over:
            self._listen(patience)
        try:
            while not question.over:
                with suppress(asyncio.CancelledError):
                    await question.end()
        finally:
            self._silence.clear()

    def abort(self, why: str) -> None:
        """End the connection now; bytes that have not left are dropped."""
        self._lose(WireError("provider_unreachable", why))
        self._transport.abort()

    def farewell(self) -> None:
        """End the connection politely, without waiting for the server's good-bye (RFC 5321 section 4.1.1.10).

        While an answer is due the server may be listening for a body, of which a QUIT would become a line.
        """
        if self._waiting:
            self.abort("The connection was given up.")
        if not self.lost:
            self._transport.write(b"QUIT\r\n")
            self._lose(WireError("provider_unreachable", "The connection was closed."))
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Pair what arrived with the questions, in order."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if self.lost:
                return
            self._take(line.removesuffix(b"\r"))
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
        read = _read(line) if len(line) <= LINE_LIMIT else None
        if not read or (self._said and self._said[0].code != read.reply.code):
            return self._garbled("The server's reply is not SMTP.")
        reply = read.reply
        if read.goes_on:
            self._said.append(reply)
            self._size += len(line) + 1
            if self._size > REPLY_LIMIT:
                self._garbled("The server's reply has no end.")
            return None
        if self._said:
            reply = Reply(reply.code, "\n".join(one.text for one in (*self._said, reply)))
            self._said, self._size = [], 0
        return self._pair(reply)

    def _pair(self, reply: Reply) -> None:
        if self._waiting:
            if self._waiting[0].take(reply):
                self._waiting.popleft()
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
        self._silence.close()
        while self._waiting:
            self._waiting.popleft().lose(lost)

    def _listen(self, patience: float) -> None:
        self._patience = patience
        self._silence.set(patience)

    def _fall_silent(self) -> None:
        self.abort(f"No answer within {self._patience:g} s.")


@lru_cache(maxsize=256)  # a server says the same few things to every mail
def _read(line: bytes) -> _Line | None:
    """Read one line of a reply; None for what is none."""
    match = _REPLY_LINE.fullmatch(line)
    if not match:
        return None
    return _Line(Reply(int(match[1]), (match[3] or b"").strip().decode("utf-8", "replace")), match[2] == b"-")
