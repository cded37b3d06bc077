"""Large questions wait for one another, so that everything else finds a connection and no tenant has them all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary

from postroom.errors import TooMany

PATIENCE_SECONDS = 4.0  # a caller waits some five for an answer
AGAIN_SECONDS = 5


class Turnstile:
    """So many places for large questions; a tenant takes at most half of them.

    Whoever waits for a place has one of their tenant's already, so that of two tenants none stands behind all of the
    other's questions.
    """

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._share = max(1, places // 2)
        self._tenants: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def place(self, tenant_id: UUID, patience: float = PATIENCE_SECONDS) -> AsyncIterator[None]:
        """Take a place until left; `patience` is in seconds.

        Raises:
            TooMany: none came free in time (`too_many_questions`).
        """
        share = self._tenants.get(tenant_id)
        if share is None:
            share = self._tenants[tenant_id] = asyncio.Semaphore(self._share)
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(patience):
                    await held.enter_async_context(share)
                    await held.enter_async_context(self._places)
            except TimeoutError as error:
                detail = "Other large questions are being answered; ask again when they are."
                raise TooMany(detail, code="too_many_questions", retry_after=AGAIN_SECONDS) from error
            yield
