"""What a server says: replies, and the questions that wait for them."""

import asyncio
import re
from typing import NamedTuple

CLOSING = 421  # the one thing a server may say unasked (RFC 5321 section 3.8)

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")


class Reply(NamedTuple):
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


class Question:
    """Something that was asked in one breath: its replies so far, in order, and `loss` once there will be no more."""

    __slots__ = ("_awaited", "_end", "loss", "replies")

    def __init__(self, awaited: int) -> None:
        self.replies: list[Reply] = []
        self.loss: WireError | None = None
        self._awaited = awaited
        self._end = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        """Whether every reply is here, or the rest will never be."""
        return self.loss is not None or len(self.replies) == self._awaited

    def take(self, reply: Reply) -> bool:
        """Add a reply; returns whether it was the last."""
        self.replies.append(reply)
        if len(self.replies) < self._awaited:
            return False
        self._finish()
        return True

    def lose(self, loss: WireError) -> None:
        """Give up the replies that are still to come."""
        self.loss = loss
        self._finish()

    async def end(self) -> None:
        """Wait until it is over; one that waits, and may be cancelled and wait again."""
        if not self.over:
            if self._end.done():
                self._end = asyncio.get_running_loop().create_future()
            await self._end

    def _finish(self) -> None:
        if not self._end.done():
            self._end.set_result(None)
