"""Group commit: requests that arrive while a statement runs share the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Carries out single requests in groups, at most `limit` to a statement and one statement at a time.

    `carry_out` answers in the order it was asked; when it raises, each request of that group raises the same error.
    Between two groups the event loop goes round `turns` times: whoever has just been answered may soon ask again, and
    would have to wait for the end of a statement that goes without them. A loop with nothing to do is round at once.
    """

    def __init__(
        self, carry_out: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], limit: int, turns: int = 0
    ) -> None:
        self._carry_out = carry_out
        self._limit = limit
        self._turns = turns
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, item: Item) -> Result:
        """Wait for the group that carries this item and return its own result."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._drain())
        return await answer

    async def _drain(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                await self._answer(group)
                if len(group) > 1:
                    await self._gather()
        finally:
            self._running = None

    async def _gather(self) -> None:
        for _ in range(self._turns):
            if len(self._waiting) >= self._limit:
                return
            await asyncio.sleep(0)

    async def _answer(self, group: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._carry_out([item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - whoever asked decides what the failure means
            for _, answer in group:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), result in zip(group, results, strict=True):
            if not answer.done():
                answer.set_result(result)
