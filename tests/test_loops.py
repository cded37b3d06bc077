"""Ending a background loop."""

import asyncio
import logging

import pytest

from postroom.loops import end


async def test_a_loop_that_misses_a_cancellation_ends_all_the_same() -> None:
    missed = 0

    async def deaf_once() -> None:
        nonlocal missed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if missed:
                    raise
                missed += 1

    loop = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end(loop)
    assert loop.cancelled()
    assert missed == 1


async def test_what_a_loop_died_of_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise RuntimeError("out of breath")

    loop = asyncio.create_task(broken())
    await asyncio.sleep(0)
    with caplog.at_level(logging.ERROR):
        await end(loop)
    assert "out of breath" in caplog.text
