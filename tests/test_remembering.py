"""What is asked for with every message is read once for all who ask, and anew when something is different."""

import asyncio

import pytest

from postroom.errors import Unavailable
from postroom.remembering import Memory


class Source:
    """Answers when it is let, and counts how often it was read."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.value = "old"
        self.open = asyncio.Event()
        self.broken = False

    async def read(self, key: str) -> str:
        self.reads.append(key)
        value = f"{key} {self.value}"
        await self.open.wait()
        if self.broken:
            raise Unavailable("The database cannot be reached.")
        return value


async def asking(memory: Memory[str, str], *keys: str) -> list[asyncio.Task[str]]:
    """Ask for these and return once all of them wait."""
    tasks = [asyncio.create_task(memory.of(key)) for key in keys]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_all_who_ask_at_once_are_answered_by_one_reading() -> None:
    source = Source()
    memory = Memory(source.read, 60)
    waiting = await asking(memory, "a", "a", "b", "a")
    waiting[0].cancel()  # and nobody else loses the answer with it
    source.open.set()
    assert await asyncio.gather(*waiting[1:]) == ["a old", "b old", "a old"]
    assert await memory.of("a") == "a old"
    assert source.reads == ["a", "b"]


async def test_what_is_not_fresh_any_more_is_read_anew() -> None:
    source = Source()
    source.open.set()
    memory = Memory(source.read, 0)
    await memory.of("a")
    source.value = "new"
    assert await memory.of("a") == "a new"


async def test_a_failure_is_heard_by_all_who_wait_and_remembered_by_nobody() -> None:
    source = Source()
    source.broken = True
    memory = Memory(source.read, 60)
    waiting = await asking(memory, "a", "a")
    source.open.set()
    for one in waiting:
        with pytest.raises(Unavailable):
            await one
    source.broken = False
    assert await memory.of("a") == "a old"
    assert source.reads == ["a", "a"]


async def test_a_reading_under_way_is_not_remembered_when_something_became_different() -> None:
    source = Source()
    memory = Memory(source.read, 60)
    [before] = await asking(memory, "a")
    source.value = "new"
    memory.forget("a")
    [after] = await asking(memory, "a")
    source.open.set()
    assert (await before, await after, await memory.of("a")) == ("a old", "a new", "a new")
    memory.forget("a")
    source.value = "newest"
    assert await memory.of("a") == "a newest"


async def test_a_failure_nobody_waits_for_any_more_disturbs_nobody() -> None:
    source = Source()
    source.broken = True
    memory = Memory(source.read, 60)
    [alone] = await asking(memory, "a")
    alone.cancel()
    source.open.set()
    with pytest.raises(asyncio.CancelledError):
        await alone
    source.broken = False
    assert await memory.of("a") == "a old"
