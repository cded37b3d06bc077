"""Keeps connections to one provider: few, reused for a while, and given back only when nothing is left unsaid."""

import asyncio
from dataclasses import dataclass

from postroom.channels.email.connection import Connection, Dialer

IDLE_SECONDS = 30.0  # servers close idle connections after a minute or more; ours go first


@dataclass(frozen=True, slots=True)
class _Resting:
    connection: Connection
    since: float


class Pool:
    """Opens connections and lets them rest; how many there are is the business of whoever borrows them."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._resting: list[_Resting] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def empty(self) -> bool:
        """Whether no connection rests here."""
        return not self._resting

    async def lend(self, *, fresh: bool = False) -> Connection:
        """Lend a connection; `fresh` asks for one that nobody has used.

        A resting connection that the server closed or spoke on is noticed by its transport and never lent.

        Raises:
            UnreachableError: none could be opened.
        """
        return (None if fresh else self._rested()) or await self._dialer.dial()

    def take_back(self, connection: Connection) -> None:
        """Keep a connection for the next message, or let it go."""
        if not connection.reusable or self._closed:
            connection.wire.farewell()
            return
        loop = asyncio.get_running_loop()
        self._resting.append(_Resting(connection, loop.time()))
        if self._sweep is None:
            self._sweep = loop.call_later(IDLE_SECONDS, self._sweep_out)

    def close(self) -> None:
        """Let the resting go now and the lent when they come back."""
        self._closed = True
        self._dismiss(self._resting)
        self._resting = []
        if self._sweep:
            self._sweep.cancel()

    def _rested(self) -> Connection | None:
        while self._resting:
            connection = self._resting.pop().connection
            if connection.reusable:
                return connection
        return None

    def _sweep_out(self) -> None:
        now = asyncio.get_running_loop().time()
        self._dismiss([resting for resting in self._resting if now - resting.since >= IDLE_SECONDS])
        self._resting = [resting for resting in self._resting if now - resting.since < IDLE_SECONDS]
        self._sweep = None
        if self._resting:
            due = self._resting[0].since + IDLE_SECONDS
            self._sweep = asyncio.get_running_loop().call_at(due, self._sweep_out)

    def _dismiss(self, resting: list[_Resting]) -> None:
        for one in resting:
            one.connection.wire.farewell()
