"""Posts notifications and waits for their mail: the clock starts before the POST and stops in the sink's log."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from benchmarks.client import HttpConnection
from benchmarks.house import House
from benchmarks.letters import Post, address

PATH = "/api/v1/notifications"
CONNECTIONS = 16
TAIL_SECONDS = 0.005
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Journey:
    """When each mail's POST began and when the sink had taken it; seconds of this machine's clock."""

    posted: Sequence[float]
    arrived: Sequence[float]

    @property
    def per_second(self) -> float:
        """Mails per second from the first POST to the last 250."""
        return len(self.posted) / (max(self.arrived) - min(self.posted))

    @property
    def milliseconds(self) -> list[float]:
        """How long each took."""
        return [(end - begin) * 1_000 for begin, end in zip(self.posted, self.arrived, strict=True)]


class SinkTail:
    """Reads the sink's log as it grows."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._arrivals: dict[str, asyncio.Future[float]] = {}

    def expect(self, name: str) -> asyncio.Future[float]:
        """Return the moment, to come, at which the sink takes this person's mail."""
        arrival: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._arrivals[address(name)] = arrival
        return arrival

    async def follow(self) -> None:
        """Look for new lines; never returns."""
        with self._log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            rest = b""
            while True:
                *lines, rest = (rest + file.read()).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
                await asyncio.sleep(TAIL_SECONDS)

    def _take(self, entry: dict[str, str]) -> None:
        arrival = self._arrivals.pop(entry["to"], None)
        if arrival is None:
            raise AssertionError(f"A mail nobody waits for, or a second copy: {entry}")
        arrival.set_result(datetime.fromisoformat(entry["at"]).timestamp())


class Driver:
    """Sends through the API and follows each mail to the sink."""

    def __init__(self, tail: SinkTail, bearer: str, connections: Sequence[HttpConnection]) -> None:
        self.bearer = bearer
        self._tail = tail
        self._free: asyncio.Queue[HttpConnection] = asyncio.Queue()
        for connection in connections:
            self._free.put_nowait(connection)

    @classmethod
    @asynccontextmanager
    async def open(cls, house: House) -> "AsyncIterator[Driver]":
        """Connect to the running API and follow the sink's log until left."""
        connections = [HttpConnection(house.api_port) for _ in range(CONNECTIONS)]
        tail = SinkTail(house.sink_log)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(tail.follow())
            try:
                yield cls(tail, house.stack.credentials.demo_key, connections)
            finally:
                following.cancel()
                for connection in connections:
                    connection.close()

    async def send_many(self, prefix: str, count: int, in_flight: int) -> Journey:
        """Send `count`, at most `in_flight` of them between POST and 250 at any moment."""
        places = asyncio.Semaphore(in_flight)
        post = Post(PATH, self.bearer)

        async def one(number: int) -> tuple[float, float]:
            async with places:
                return await self._send(post, f"{prefix}-{number}")

        async with asyncio.timeout(PATIENCE_SECONDS):
            journeys = await asyncio.gather(*(one(number) for number in range(count)))
        return Journey(*zip(*journeys, strict=True))

    def expect(self, names: Sequence[str]) -> list[asyncio.Future[float]]:
        """Return when each of these people's mails arrives, to come; they are sent by other ways."""
        return [self._tail.expect(name) for name in names]

    async def send_steadily(self, prefix: str, priority: str, pace: tuple[int, float]) -> Journey:
        """Send `count` at `per_second`, whether or not the earlier ones have arrived; `pace` is both."""
        count, per_second = pace
        post = Post(PATH, self.bearer, priority)
        begin = time.monotonic()

        async def one(number: int) -> tuple[float, float]:
            await asyncio.sleep(begin + number / per_second - time.monotonic())
            return await self._send(post, f"{prefix}-{number}")

        async with asyncio.timeout(count / per_second + PATIENCE_SECONDS):
            journeys = await asyncio.gather(*(one(number) for number in range(count)))
        return Journey(*zip(*journeys, strict=True))

    async def send_while(self, wanted: Callable[[], bool], prefix: str, pace: tuple[str, float]) -> Journey:
        """Send steadily for as long as it is wanted; `pace` is the priority and how many a second."""
        priority, per_second = pace
        post = Post(PATH, self.bearer, priority)
        begin = time.monotonic()
        sent: list[asyncio.Task[tuple[float, float]]] = []
        async with asyncio.TaskGroup() as group:
            while wanted():
                sent.append(group.create_task(self._send(post, f"{prefix}-{len(sent)}")))
                await asyncio.sleep(begin + len(sent) / per_second - time.monotonic())
        return Journey(*zip(*(one.result() for one in sent), strict=True))

    async def ask(self, request: bytes) -> int:
        """Send a whole request over a free connection and return the status of its answer."""
        connection = await self._free.get()
        status = await connection.ask(request)
        self._free.put_nowait(connection)
        return status

    async def _send(self, post: Post, name: str) -> tuple[float, float]:
        arrival = self._tail.expect(name)
        return await self._post(post, name), await arrival

    async def _post(self, post: Post, name: str) -> float:
        connection = await self._free.get()
        posted = time.time()
        status = await connection.ask(post.to(name))
        self._free.put_nowait(connection)
        assert status == HTTPStatus.ACCEPTED, f"The API answered {status}"
        return posted
