"""Waiting for something to become true, and ports nobody uses."""

import socket
import time
from collections.abc import Callable

PAUSE_SECONDS = 0.05


def eventually(true: Callable[[], object], seconds: float = 10.0) -> float:
    """Wait until `true` says so and return the seconds it took; fail when it never does."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(PAUSE_SECONDS)
    return time.monotonic() - began


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago, each another."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
