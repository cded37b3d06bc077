"""The real parts under measurement: the local stack's own programs, on free ports and a folder that goes afterwards."""

import asyncio
import json
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from postroom.local.child import Child
from postroom.local.parts import Part, answers_http
from postroom.local.postgres import EmbeddedPostgres
from postroom.local.settings import LocalSettings
from postroom.local.stack import CHECKED_OUT, CHECKOUT, DATABASE, Stack, python
from tests.fixtures.sink.process import SinkProcess

BARE = "bare"
EMPTY = """
TRUNCATE notifications, jobs, carriers, idempotency_keys, contacts, preferences, contact_usage, digests CASCADE
"""
OPEN = "SELECT count(*) FROM notifications WHERE state = 'open'"
SETTLE_SECONDS = 60.0
ORDER_SECONDS = 120.0
SETTLE_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class House:
    """Postgres (fsync on), Temporal (its state in a file) and the mail sink run; the other parts run on demand."""

    stack: Stack
    parts: Mapping[str, Part]
    postgres: EmbeddedPostgres
    sink: SinkProcess
    sink_log: Path
    children: dict[str, Child] = field(default_factory=dict)  # what runs right now, by its name

    @property
    def database_url(self) -> str:
        """Postroom's database, as its owner."""
        return self.postgres.url(DATABASE)

    @property
    def api_port(self) -> int:
        """Where the API listens while it runs."""
        return self.stack.settings.api_port

    @property
    def engine_address(self) -> str:
        """Where Temporal listens."""
        return f"127.0.0.1:{self.stack.settings.temporal_port}"

    @asynccontextmanager
    async def running(self, name: str, **environment: str) -> AsyncIterator[Child]:
        """Run one part, with these additions to its environment, until left."""
        part = self.parts[name]
        async with self._run(replace(part, environment={**part.environment, **environment})) as child:
            yield child

    @asynccontextmanager
    async def running_bare_insert(self) -> AsyncIterator[int]:
        """Run the bare application on a database of its own on the same server; yields its port."""
        self.postgres.ensure_database(BARE)
        port = free_port()
        part = Part(
            "bare-insert",
            python("uvicorn", "--factory", "benchmarks.bare_insert:create_app", "--port", str(port), "--no-access-log"),
            ready=answers_http(port, "/health"),
            environment={"DATABASE_URL": self.postgres.url(BARE)},
            options=CHECKED_OUT,
        )
        async with self._run(part):
            yield port

    @asynccontextmanager
    async def _run(self, part: Part) -> AsyncIterator[Child]:
        """Run a part until left; one that does its work and ends has ended well once this returns."""
        if part.prepare is not None:
            await asyncio.to_thread(part.prepare)
        child = Child(part, self.stack.environment(), self.stack.data_dir / f"{part.name}.log")
        try:
            if part.once:
                good = await child.wait() == 0
            else:
                good = await child.wait_until_ready()
            if not good:
                raise RuntimeError(f"{part.name} did not start: {child.log.written()[-2000:]}")
            if not part.once:
                self.children[part.name] = child
            yield child
        finally:
            self.children.pop(part.name, None)
            await child.stop()

    async def settled(self) -> None:
        """Wait until nothing is open any more.

        Raises:
            TimeoutError: something still was after a minute.
        """
        async with asyncio.timeout(SETTLE_SECONDS):
            while await self.number(OPEN):  # noqa: ASYNC110 - a row has no event
                await asyncio.sleep(SETTLE_POLL_SECONDS)

    async def empty(self) -> None:
        """Forget every notification, so that each round finds the same tables."""
        async with self.connection() as connection:
            await connection.execute(EMPTY)
            await connection.execute("CHECKPOINT")

    async def number(self, statement: LiteralString) -> int:
        """One number from the database."""
        [(number,)] = await self.rows(statement)
        return int(number)

    async def rows(self, statement: LiteralString) -> list[TupleRow]:
        """Rows from the database."""
        async with self.connection() as connection:
            return await (await connection.execute(statement)).fetchall()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """A connection as the owner of the tables; each statement is its own transaction."""
        async with await AsyncConnection.connect(self.database_url, autocommit=True) as connection:
            yield connection


@asynccontextmanager
async def open_house() -> AsyncIterator[House]:
    """Start what every section needs, prepare the database, and leave nothing behind."""
    with _temporary_folder() as folder:
        log = folder / "sink.jsonl"
        async with AsyncExitStack() as stack:
            sink = await stack.enter_async_context(SinkProcess.open(log))
            local = Stack.of(_settings(folder / "data", sink.port))
            parts = {part.name: part for part in local.parts()}
            house = House(local, parts, EmbeddedPostgres(local.data_dir / "postgres"), sink, log)
            for name in ("postgres", "temporal", "migrations", "demo"):
                await stack.enter_async_context(house.running(name))
            yield house


def _settings(data_dir: Path, sink_port: int) -> LocalSettings:
    return LocalSettings(
        data_dir=data_dir,
        api_port=free_port(),
        temporal_port=free_port(),
        temporal_ui_port=free_port(),
        smtp_url=f"smtp://127.0.0.1:{sink_port}",
    )


def free_port() -> int:
    """A port of this machine that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def ordered(module: str, order: Mapping[str, object]) -> dict[str, Any]:
    """Run one of our measuring processes with its order; returns the JSON it prints.

    Raises:
        RuntimeError: it failed.
        TimeoutError: it was not done within two minutes, and is ended.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, json.dumps(order), cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(ORDER_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise RuntimeError(f"{module} failed with code {process.returncode}")
    found: dict[str, Any] = json.loads(output)
    return found


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="postroom-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
