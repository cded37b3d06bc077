"""Looks whether the ports of the stack are free, before anything is started."""

import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from postroom.local.trouble import Trouble

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Port:
    """A port, what listens on it and the setting that moves it."""

    number: int
    title: str
    setting: str


def require_free(ports: Sequence[Port]) -> None:
    """Name every port that cannot be had.

    Raises:
        Trouble: one sentence per port.
    """
    seen = Counter(port.number for port in ports)
    sentences = []
    for port in ports:
        if seen[port.number] > 1:
            sentences.append(f"Port {port.number} is given to two parts; set {port.setting} ({port.title}) to another.")
        elif not _is_free(port.number):
            sentences.append(
                f"Port {port.number} ({port.title}) is in use by another program. End that one, or set {port.setting} "
                "to a free port."
            )
    if sentences:
        raise Trouble("\n".join(sentences))


def _is_free(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, number))
        except OSError:
            return False
    return True
