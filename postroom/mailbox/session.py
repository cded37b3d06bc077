"""One client's connection: bytes into commands and letters, one write for the replies to a batch (RFC 2920)."""

import asyncio
import logging
from typing import Protocol

from postroom.mailbox.conversation import Conversation
from postroom.mailbox.framing import BadLine, BodyTooLarge, Framing
from postroom.mailbox.letter import Kept, Letter

# What a client may have in flight while its letter goes to disk; a pipelining one has a few hundred bytes.
READ_AHEAD_LIMIT = 256_000
IDLE_SECONDS = 300.0  # RFC 5321 section 4.5.3.2.7
TOO_SILENT = "421 4.4.2 Silent for too long"

_log = logging.getLogger(__name__)


class House(Protocol):
    """What a session needs of the server around it."""

    host_name: str
    silent_timeout: float
    message_limit: int

    def moment(self) -> int:
        """Say when a transaction begins, for `take`."""

    def take(self, letter: Letter, begun: int) -> "asyncio.Future[Kept] | None":
        """Put a letter into the journal; None when it was declared absent since its transaction began."""

    def left(self, session: "Session") -> None:
        """Strike a session off."""


class Session(asyncio.Protocol):
    """Holds at most one letter; while that goes to disk, no further command is obeyed."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._framing = Framing(house.message_limit)
        self._talk = Conversation(house.host_name, house.message_limit, house.moment)
        self._keeping = False
        self._farewell: str | None = None
        self._heard = self._loop.time()

    @property
    def begun(self) -> int | None:
        """When the open transaction began, if one is open."""
        return self._talk.transaction.begun if self._talk.transaction is not None else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is asyncio's
        """Forget the client; a letter on its way to disk still arrives there."""
        self._transport = None
        self._talk.over = True
        self._talk.end_transaction()
        self._house.left(self)

    def pause_writing(self) -> None:
        """Stop listening to a client that does not read its replies."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Listen again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless they come too late: the promise about silence holds even if this process itself slept."""
        if self._silent_too_long():
            self.hang_up(TOO_SILENT)
            return
        self._heard = self._loop.time()
        self._framing.feed(data)
        if not self._keeping:
            self._advance()
        elif len(self._framing) > READ_AHEAD_LIMIT and self._transport is not None:
            self._transport.pause_reading()

    def look_at_clock(self) -> None:
        """Drop a client that said nothing for too long, or does not take its last reply."""
        if self._silent_too_long():
            if self._talk.over and self._transport is not None:
                self._transport.abort()
            else:
                self.hang_up(TOO_SILENT)

    def hang_up(self, farewell: str) -> None:
        """Say why and close; nothing that arrives later is read. A letter on its way to disk is answered first."""
        if self._keeping:
            self._farewell = farewell
        elif not self._talk.over:
            self._talk.leave(farewell)
            self._flush()

    def abort(self) -> None:
        """Close without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _silent_too_long(self) -> bool:
        if self._keeping:
            return False
        patience = self._house.silent_timeout if self._talk.transaction is not None else IDLE_SECONDS
        return self._loop.time() - self._heard > patience

    def _advance(self) -> None:
        while not (self._talk.over or self._keeping):
            if not (self._next_body() if self._talk.in_body else self._next_command()):
                break
        if not self._keeping:
            self._flush()

    def _next_command(self) -> bool:
        try:
            line = self._framing.line()
        except BadLine as bad:
            self._talk.wrong(f"500 5.5.2 {bad}")
            return True
        if line is None:
            return False
        self._talk.hear(line)
        if self._talk.in_body:
            self._framing.begin_body()
        return True

    def _next_body(self) -> bool:
        try:
            raw = self._framing.body()
        except BodyTooLarge:
            self._talk.conclude("552 5.3.4 This message is too large")
            return True
        if raw is None:
            return False
        self._take(raw, self.begun or 0)
        return True

    def _take(self, raw: bytes, begun: int) -> None:
        kept = self._house.take(self._talk.letter(raw), begun)
        if kept is None:
            self._talk.conclude("451 4.3.0 Declared absent while this transaction was open; nothing was taken")
            return
        self._keeping = True
        kept.add_done_callback(self._answer)

    def _answer(self, kept: "asyncio.Future[Kept]") -> None:
        self._keeping = False
        self._heard = self._loop.time()
        failure = kept.exception()
        if failure is None:
            self._talk.conclude(f"250 2.0.0 Kept as {kept.result().message}")
        else:
            _log.error("A letter could not be written and was refused: %s", failure)
            self._talk.conclude("452 4.3.1 The journal cannot be written")
        if self._transport is None:
            return
        if self._farewell is not None:
            self._talk.leave(self._farewell)
        self._transport.resume_reading()
        self._advance()

    def _flush(self) -> None:
        if self._transport is None:
            return
        if self._talk.replies:
            self._transport.write(("\r\n".join(self._talk.replies) + "\r\n").encode())
            self._talk.replies.clear()
        if self._talk.over:
            self._transport.close()
