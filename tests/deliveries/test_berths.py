"""Berths: few pages of one tenant at a time, the urgent first, and nobody's place is lost."""

import asyncio
from collections.abc import Callable

import pytest

from postroom.deliveries.berths import Berths


class Page:
    """A page that wants a berth, and stays until it is sent away."""

    def __init__(self, berths: Berths, arrivals: list[str], name: str, urgency: int = 3) -> None:
        self.gone = asyncio.Event()
        self.leave: Callable[[], None] | None = None
        self.task = asyncio.create_task(self._stay(berths, arrivals, name, urgency))

    async def _stay(self, berths: Berths, arrivals: list[str], name: str, urgency: int) -> None:
        async with berths.berth("bank" if name == "bank" else "shop", urgency) as leave:
            self.leave = leave
            arrivals.append(name)
            await self.gone.wait()


async def ticks() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def ended(*pages: Page) -> None:
    for page in pages:
        page.gone.set()
    await asyncio.gather(*(page.task for page in pages), return_exceptions=True)


async def test_few_at_a_time_the_urgent_first_and_equals_in_order() -> None:
    berths, arrivals = Berths(2), list[str]()
    first, second, low, later, high = (
        Page(berths, arrivals, name, urgency)
        for name, urgency in (("first", 3), ("second", 3), ("low", 4), ("later", 4), ("high", 2))
    )
    await ticks()
    assert arrivals == ["first", "second"]
    for page in (first, second, high):
        await ended(page)
        await ticks()
    assert arrivals == ["first", "second", "high", "low", "later"]
    await ended(low, later)


async def test_another_key_has_berths_of_its_own() -> None:
    berths, arrivals = Berths(1), list[str]()
    pages = [Page(berths, arrivals, key) for key in ("shop", "bank")]
    await ticks()
    assert arrivals == ["shop", "bank"]
    await ended(*pages)


async def test_who_leaves_early_makes_room_once() -> None:
    berths, arrivals = Berths(1), list[str]()
    pages = [Page(berths, arrivals, name) for name in ("a", "b", "c")]
    await ticks()
    assert pages[0].leave is not None
    pages[0].leave()
    pages[0].leave()
    await ticks()
    assert arrivals == ["a", "b"]
    await ended(pages[0])
    await ticks()
    assert arrivals == ["a", "b"]
    await ended(*pages)


@pytest.mark.parametrize("granted", [False, True])
async def test_who_gives_up_waiting_takes_no_berth_along(*, granted: bool) -> None:
    berths, arrivals = Berths(1), list[str]()
    holder, waiter, last = (Page(berths, arrivals, name) for name in ("holder", "waiter", "last"))
    await ticks()
    if granted:
        assert holder.leave is not None
        holder.leave()
    waiter.task.cancel()
    await ended(holder)
    await ticks()
    assert arrivals == ["holder", "last"]
    await ended(waiter, last)
    again = Page(berths, arrivals, "again")
    await ticks()
    assert arrivals[-1] == "again"
    await ended(again)
