"""Serves an ASGI application inside an event loop that has other work too."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette

GOODBYE_SECONDS = 2


class PortTaken(Exception):
    """An address cannot be listened on."""


class _PageServer(uvicorn.Server):
    """Uvicorn without its signal handlers: signals stop the SMTP side too, so they are the process's own."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(app: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an application on a bound socket, in this event loop, until left."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )
    server = _PageServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await server.ready.wait()
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """Bind a socket to serve on; port 0 takes any free one.

    Raises:
        PortTaken: the address cannot be used; the text is a sentence.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen()  # now, or a second process could take the same port before the server listens
        except OSError as error:
            raise PortTaken(f"{host}:{port} cannot be used: {error.strerror or error}.") from error
        yield listener
