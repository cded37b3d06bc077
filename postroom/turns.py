"""Goes through pages in turns: what is urgent waits for none of them to the end."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")

TURN = 20  # messages that are worked on in one go: about a millisecond


async def in_turns(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Go through a page, and let everybody else of this process have their turn between two parts of it."""
    for number, item in enumerate(items, 1):
        yield item
        if number % TURN == 0:
            await asyncio.sleep(0)
