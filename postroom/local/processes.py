"""Ends processes that are not our children, and waits until they are gone."""

import signal
import time
from collections.abc import Iterable

import psutil

POLL_SECONDS = 0.02


def send_all(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to those that still live."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def wait_gone(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until the processes are over, and return those that are not in time."""
    limit = time.monotonic() + seconds
    left = [process for process in processes if lives(process)]
    while left and time.monotonic() < limit:
        time.sleep(POLL_SECONDS)
        left = [process for process in left if lives(process)]
    return left


def lives(process: psutil.Process) -> bool:
    """Whether the process runs; one that only waits to be collected by its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def with_children(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return the processes and everything they started."""
    family = []
    for process in processes:
        family.append(process)
        try:
            family.extend(process.children(recursive=True))
        except psutil.NoSuchProcess:
            continue
    return family
