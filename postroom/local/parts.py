"""What a part of the stack is: a program, how to know that it is ready, what must run before it."""

import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any

from postroom.local.ports import HOST, Port

PROBE_SECONDS = 2.0
# Our parts begin a line with clock and name (postroom/observability.py), uvicorn does not.
WORTH_TELLING = re.compile(r"^(?:\d\d:\d\d:\d\d \S+ +)?(?P<text>(?:warning|error|critical): .*)", re.IGNORECASE)

# Told what the part wrote since it was started; asked again and again until it says yes.
Ready = Callable[[str], bool]


def at_once(_written: str) -> bool:
    """Ready as soon as it runs."""
    return True


@dataclass(frozen=True)
class Part:
    """One program the supervisor keeps running, or runs once when `once` is set."""

    name: str
    command: Sequence[str]
    ready: Ready = at_once
    after: Sequence[str] = ()
    ports: Sequence[Port] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[], None] | None = None  # run before every start
    once: bool = False
    farewell: signal.Signals = signal.SIGTERM
    patience: float = 10.0  # seconds between the farewell and the kill
    telling: re.Pattern[str] | None = WORTH_TELLING  # lines that belong on the terminal too


def answers_http(port: int, path: str) -> Ready:
    """Ready when the page is there."""

    def ready(_written: str) -> bool:
        connection = HTTPConnection(HOST, port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    return ready


def says(words: str) -> Ready:
    """Ready when the part has written these words."""

    def ready(written: str) -> bool:
        return words in written

    return ready
