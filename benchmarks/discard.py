"""A mail server that keeps nothing and costs little, so that it is not what `hand-off` measures.

`python -m benchmarks.discard` prints its port as JSON and runs until it is told to stop.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import psutil
import uvloop

END = b"\r\n.\r\n"
OFFERS = (
    b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE\r\n"
)
OK = b"250 2.0.0 Ok\r\n"


class Discard(asyncio.Protocol):
    """One client: every command is right, every mail is welcome, all answers to one write leave in one write."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._in_body = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer whatever is complete."""
        self._buffer += data
        answers = []
        while answer := self._next():
            answers.append(answer)
        if answers and self._transport is not None:
            self._transport.write(b"".join(answers))
            if answers[-1].startswith(b"221"):
                self._transport.close()

    def _next(self) -> bytes | None:
        ending = END if self._in_body else b"\r\n"
        # A body is searched from the end of its DATA line on: a lone dot ends an empty one.
        at = self._buffer.find(ending)
        if at < 0:
            return None
        if self._in_body:
            del self._buffer[: at + len(END)]
            self._in_body = False
            return OK
        verb = bytes(self._buffer[:4]).upper()
        self._in_body = verb == b"DATA"
        del self._buffer[: at if self._in_body else at + 2]
        return {b"EHLO": OFFERS, b"DATA": b"354 Go on\r\n", b"QUIT": b"221 2.0.0 Bye\r\n"}.get(verb, OK)


@dataclass(frozen=True, slots=True)
class DiscardProcess:
    """The running server."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """CPU time it has used so far."""
        spent = psutil.Process(self.pid).cpu_times()
        return float(spent.user + spent.system)

    @classmethod
    @asynccontextmanager
    async def open(cls) -> "AsyncIterator[DiscardProcess]":
        """Start it as a process of its own, and end it when left."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.discard", stdout=asyncio.subprocess.PIPE
        )
        try:
            if process.stdout is None:
                raise RuntimeError("The server's output is a pipe")
            yield cls(json.loads(await process.stdout.readline())["port"], process.pid)
        finally:
            process.terminate()
            await process.communicate()


async def serve() -> None:
    """Listen on any port until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stopping.set)
    server = await loop.create_server(Discard, "127.0.0.1", 0, backlog=512)
    sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    await stopping.wait()
    server.close()


if __name__ == "__main__":
    uvloop.run(serve())
