"""Many time-outs share one timer: it rings when it should, and never for a time that was cleared."""

import asyncio

from postroom.channels.email.alarm import Alarm


def ringing() -> tuple[Alarm, "asyncio.Queue[float]"]:
    rings: asyncio.Queue[float] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    return Alarm(lambda: rings.put_nowait(loop.time())), rings


async def test_it_rings_once_and_not_before_its_time() -> None:
    alarm, rings = ringing()
    began = asyncio.get_running_loop().time()
    alarm.set(0.05)
    assert await rings.get() >= began + 0.05
    await asyncio.sleep(0.1)
    assert rings.empty()


async def test_a_time_that_was_cleared_is_forgotten() -> None:
    alarm, rings = ringing()
    alarm.set(0.01)
    alarm.clear()
    await asyncio.sleep(0.05)
    assert rings.empty()
    alarm.set(0.01)
    alarm.close()
    await asyncio.sleep(0.05)
    assert rings.empty()


async def test_set_anew_only_the_last_time_counts() -> None:
    alarm, rings = ringing()
    began = asyncio.get_running_loop().time()
    alarm.set(0.01)
    alarm.set(0.1)  # later than the timer that runs
    assert await rings.get() >= began + 0.1
    alarm.set(600)
    alarm.set(0.01)  # earlier
    await rings.get()


async def test_cleared_and_set_again_it_looks_again_for_as_long_as_is_left() -> None:
    alarm, rings = ringing()
    alarm.set(0.02)
    alarm.clear()
    began = asyncio.get_running_loop().time()
    alarm.set(0.06)
    assert await rings.get() >= began + 0.06
