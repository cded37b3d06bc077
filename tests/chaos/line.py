"""A line to Temporal that can be frozen for one worker, while the server goes on for everybody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

HOST = "127.0.0.1"
CHUNK = 65_536


class Line:
    """Passes bytes in both directions while it is open."""

    def __init__(self, server_port: int) -> None:
        self.address = ""
        self._server_port = server_port
        self._open = asyncio.Event()
        self._open.set()
        self._links: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def to(cls, address: str) -> "AsyncIterator[Line]":
        """A line to a server's address, cut when left."""
        line = cls(int(address.rpartition(":")[2]))
        listener = await asyncio.start_server(line._link, HOST, 0)
        line.address = f"{HOST}:{listener.sockets[0].getsockname()[1]}"
        try:
            yield line
        finally:
            listener.get_loop().remove_reader(listener.sockets[0].fileno())
            await asyncio.sleep(0)  # what has just been taken becomes a link: a closed listener would lose it open
            listener.close()
            for link in line._links:
                link.cancel()
            await asyncio.gather(*line._links, return_exceptions=True)

    def freeze(self) -> None:
        """Take everything and pass nothing on."""
        self._open.clear()

    def thaw(self) -> None:
        """Pass on again, and first what came meanwhile."""
        self._open.set()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(HOST, self._server_port)
        ways = ((reader, there_writer), (there_reader, writer))
        tasks = [asyncio.create_task(self._pass(*way)) for way in ways]
        self._links.update(tasks)
        await asyncio.wait(tasks)
        self._links.difference_update(tasks)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
