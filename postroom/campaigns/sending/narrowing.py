"""How many recipients are claimed at once while a provider's limit lets through only some of them."""

import asyncio
from uuid import UUID

from postroom.channels.base import Answer

REMEMBERED_SECONDS = 60.0  # then it is tried with all again: a limit may have been raised


class Straits:
    """What the senders of one process have learned of the limits their tasks met; `abreast` lots are on their way."""

    def __init__(self, abreast: int) -> None:
        self._abreast = abreast
        self._known: dict[UUID, tuple[int, float]] = {}

    def learn(self, task_id: UUID, outage: Answer | None) -> None:
        """Remember a limit: more than it lets through in a while would only be claimed to be given back."""
        if outage and outage.pace:
            over = asyncio.get_running_loop().time() + REMEMBERED_SECONDS
            self._known[task_id] = (max(1, outage.pace.count // self._abreast), over)

    def width(self, task_id: UUID, wanted: int) -> int:
        """Return how many to claim of so many wanted."""
        count, over = self._known.get(task_id, (wanted, 0.0))
        if over < asyncio.get_running_loop().time():
            self._known.pop(task_id, None)
            return wanted
        return min(wanted, count)
