"""Turns of large questions."""

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from postroom.database.turnstile import Turnstile
from postroom.errors import TooMany

ALICE, BOB = UUID(int=1), UUID(int=2)


async def test_a_tenant_has_half_of_the_places_and_leaves_the_others_to_others() -> None:
    turnstile = Turnstile(4)
    async with AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(turnstile.place(ALICE))
        with pytest.raises(TooMany) as refused:
            await held.enter_async_context(turnstile.place(ALICE, patience=0.01))
        assert (refused.value.code, refused.value.retry_after) == ("too_many_questions", 5)
        for _ in range(2):
            await held.enter_async_context(turnstile.place(BOB, patience=0.01))
        with pytest.raises(TooMany):
            await held.enter_async_context(turnstile.place(UUID(int=3), patience=0.01))
    async with turnstile.place(ALICE, patience=0.01):
        pass


async def test_what_waits_of_one_tenant_stands_before_nobody_else() -> None:
    turnstile = Turnstile(2)
    order: list[str] = []

    async def ask(name: str, tenant_id: UUID) -> None:
        async with turnstile.place(tenant_id):
            order.append(name)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group, turnstile.place(ALICE):
        for number in range(3):
            group.create_task(ask(f"alice {number}", ALICE))
        await asyncio.sleep(0)
        group.create_task(ask("bob", BOB))
        for _ in range(3):
            await asyncio.sleep(0)
        assert order == ["bob"]
    assert order == ["bob", "alice 0", "alice 1", "alice 2"]
