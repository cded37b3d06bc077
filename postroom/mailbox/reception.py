"""The SMTP server: takes connections, holds them to the time they have, and swears to what was accepted."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from postroom.mailbox.fences import Fences
from postroom.mailbox.journal import Journal
from postroom.mailbox.letter import Acceptance, Kept, Letter
from postroom.mailbox.session import Session

SESSION_LIMIT = 500
CLOCK_SECONDS = 1.0
GOODBYE_SECONDS = 3.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a reception promises: its name, how long it bears silence (seconds), how large a message may be (bytes)."""

    host_name: str
    silent_timeout: float
    message_limit: int


class Reception:
    """All sessions of one mailbox, in front of one journal."""

    def __init__(self, journal: Journal, terms: Terms) -> None:
        self.host_name = terms.host_name
        self.silent_timeout = terms.silent_timeout
        self.message_limit = terms.message_limit
        self._journal = journal
        self._fences = Fences()
        self._sessions: set[Session] = set()
        self._departure = asyncio.Event()
        self._unsaid = 0
        self._quiet_until = 0.0

    def welcome(self) -> asyncio.Protocol:
        """Open a session for a new connection; over the limit it is told to come back."""
        session = Session(self)
        self._sessions.add(session)
        if len(self._sessions) > SESSION_LIMIT:
            asyncio.get_running_loop().call_soon(session.hang_up, "421 4.3.2 Too many connections")
        return session

    def left(self, session: Session) -> None:
        """Strike a session off."""
        self._sessions.discard(session)
        self._departure.set()

    def moment(self) -> int:
        """Say when a transaction begins."""
        return self._fences.now

    def take(self, letter: Letter, begun: int) -> "asyncio.Future[Kept] | None":
        """Put a letter into the journal; None when it was declared absent since its transaction began."""
        if self._fences.refuse(letter.message_id, begun):
            _log.warning("Refused a late copy of %s: it had been declared absent", letter.message_id)
            return None
        kept = self._journal.keep(letter)
        kept.add_done_callback(lambda done: self._mention(letter, done))
        return kept

    async def evidence(self, message_ids: Sequence[str]) -> dict[str, Acceptance]:
        """Return what was accepted of these; the others are absent, and stay so for every transaction open now."""
        open_since = [session.begun for session in self._sessions if session.begun is not None]
        self._fences.declare(message_ids, min(open_since, default=None))
        found = await self._journal.acceptances(message_ids)
        self._fences.lift(found)
        return found

    async def watch(self) -> None:
        """Look at every session's clock for ever."""
        while True:
            await asyncio.sleep(min(CLOCK_SECONDS, self.silent_timeout / 4))
            for session in tuple(self._sessions):
                session.look_at_clock()
            self._mention_unsaid()

    async def dismiss(self) -> None:
        """Say goodbye to everyone; letters already handed over are written and answered."""
        for session in tuple(self._sessions):
            session.hang_up("421 4.3.2 The mailbox is closing")
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                while self._sessions:
                    self._departure.clear()
                    await self._departure.wait()
        for session in tuple(self._sessions):
            session.abort()

    def _mention(self, letter: Letter, kept: "asyncio.Future[Kept]") -> None:
        """Log a letter; in a rush one line a second counts them."""
        if kept.cancelled() or kept.exception() is not None:
            return
        now = asyncio.get_running_loop().time()
        rush, self._quiet_until = now < self._quiet_until, now + CLOCK_SECONDS
        if rush:
            self._unsaid += 1
            return
        copy = f", copy {kept.result().copy}" if kept.result().copy > 1 else ""
        to = ", ".join(letter.recipients)
        _log.info("%s for %s, %d bytes%s", letter.subject or "(no subject)", to, len(letter.raw), copy)

    def _mention_unsaid(self) -> None:
        if self._unsaid:
            _log.info("... and %d more", self._unsaid)
            self._unsaid = 0


@asynccontextmanager
async def open_reception(journal: Journal, terms: Terms, listener: socket.socket) -> AsyncIterator[Reception]:
    """Serve SMTP on a bound socket until left."""
    reception = Reception(journal, terms)
    server = await asyncio.get_running_loop().create_server(reception.welcome, sock=listener)
    watch = asyncio.create_task(reception.watch())
    try:
        yield reception
    finally:
        watch.cancel()
        server.close()
        await reception.dismiss()
        await server.wait_closed()
