"""Ending a background loop."""

import asyncio
import io
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


async def test_what_a_loop_died_of_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    log = logging.Logger("loops")  # noqa: LOG001 - of its own: other tests change the loggers of the process
    log.addHandler(logging.StreamHandler(told))
    monkeypatch.setattr("postroom.loops.log", log)

    async def broken() -> None:
        raise RuntimeError("out of breath")

    loop = asyncio.create_task(broken())
    await asyncio.wait({loop})
    await end(loop)
    assert "out of breath" in told.getvalue()
