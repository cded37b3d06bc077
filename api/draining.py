"""Tells long answers that the process is to end: the server itself would wait for them."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def told_to_end(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` on the loop when a signal ends the process; whoever listened for it before hears it as well."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    earlier = {one: signal.getsignal(one) for one in SIGNALS}

    def heard(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(tell)
        before = earlier[signal.Signals(number)]
        if callable(before):
            before(number, frame)

    for one in SIGNALS:
        signal.signal(one, heard)
    try:
        yield
    finally:
        for one, before in earlier.items():
            signal.signal(one, before)
