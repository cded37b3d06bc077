"""What the mailbox's routes stand on: the journal, the reception, and the mail opened for reading."""

import asyncio
from dataclasses import dataclass
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

from postroom.mailbox import repository
from postroom.mailbox.journal import Journal, Work
from postroom.mailbox.letter import Copy, Summary
from postroom.mailbox.opened import Opened, open_letter
from postroom.mailbox.reception import Reception

COPIES_SHOWN = 100
DIGITS = 18  # fits SQLite's integers

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts behind the routes."""

    journal: Journal
    reception: Reception
    smtp_port: int

    async def read(self, work: Work[_T]) -> _T:
        """Run a query on the journal."""
        return await self.journal.read(work)

    async def summary(self, request: Request) -> Summary:
        """Return the message a path names.

        Raises:
            HTTPException: 404, there is none.
        """
        ident = number(request.path_params["id"])
        found = None if ident is None else await self.read(lambda connection: repository.find(connection, ident))
        if found is None:
            raise HTTPException(404)
        return found

    async def text(self, message: Summary) -> bytes | None:
        """Return a message's bytes; None when they were let go to save room."""
        return await self.read(lambda connection: repository.text(connection, message.id))

    async def copies(self, message: Summary) -> list[Copy]:
        """Return every acceptance of a message, up to a limit."""
        return await self.read(lambda connection: repository.copies(connection, message.id, COPIES_SHOWN))

    async def opened(self, message: Summary) -> Opened:
        """Return a message taken apart, away from the event loop: a large one takes a while."""
        return await asyncio.to_thread(open_letter, await self.text(message) or b"")


def number(text: str) -> int | None:
    """Read an id or a cursor; None when the text is none, however long it is."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS else None
