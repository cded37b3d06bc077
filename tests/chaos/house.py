"""The whole product as real processes, each of which a test can kill, freeze and start again."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from postroom.local.child import Child
from postroom.local.parts import Part
from postroom.local.postgres import EmbeddedPostgres
from postroom.local.settings import LocalSettings
from postroom.local.stack import DATABASE, Stack
from tests.fixtures.engine import free_port
from tests.fixtures.sink import Sink

WORKER = "worker"
SECOND_WORKER = "second worker"
API = "api"
TEMPORAL = "temporal"
POSTGRES = "postgres"
EVERYTHING = (POSTGRES, TEMPORAL, WORKER, API)
ONCE = ("migrations", "demo")

Told = Mapping[str, Mapping[str, str]]  # settings of single parts

# Twenty times faster than life: a claim lasts 3 s, a hand-off 3.5 s, a retry waits 3, 15 and 45 s.
SCALE = 0.05
START_PATIENCE = 60.0


def chaos_settings(sink: Sink) -> dict[str, str]:
    """What the product is told here and nowhere else; no setting exists for these tests alone."""
    return {
        "SMTP_URL": f"smtp://127.0.0.1:{sink.port}?name=sink",
        "POSTROOM_EVIDENCE_URL": f"http://127.0.0.1:{sink.control_port}",
        "POSTROOM_TIME_SCALE": str(SCALE),
        "POSTROOM_HAND_OFF_PATIENCE_SECONDS": "30",
        "POSTROOM_ABSENCE_WINDOW_SECONDS": "50",
        "POSTROOM_ALONE_THRESHOLD": "4",
        "POSTROOM_USER_RATE_PER_MINUTE": "100000",
        "POSTROOM_TENANT_SERVERS_PUBLIC_ONLY": "false",
    }


class House:
    """One running stack and the sink its mail goes to."""

    def __init__(self, stack: Stack, sink: Sink) -> None:
        self.sink = sink
        self.api_key = stack.credentials.demo_key
        self.api_url = f"http://127.0.0.1:{stack.settings.api_port}"
        self.temporal_address = f"127.0.0.1:{stack.settings.temporal_port}"
        self.database_url = EmbeddedPostgres(stack.data_dir / "postgres").url(DATABASE)
        self._logs = stack.data_dir
        self._environment = {**stack.environment(), **chaos_settings(sink)}
        self._parts = {part.name: part for part in stack.parts()}
        self._parts[SECOND_WORKER] = replace(self._parts[WORKER], name=SECOND_WORKER)
        self._children: dict[str, Child] = {}
        self._told: dict[str, Mapping[str, str]] = {}

    async def tell(self, name: str, environment: Mapping[str, str]) -> None:
        """Start a part anew with these settings, which it keeps over every kill until the house is put in order."""
        self._told[name] = environment
        if self.runs(name):
            await self.kill(name)
        await self.start(name)

    async def start(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a part and wait until it is ready."""
        told = self._told.get(name, {})
        await self._begin(self._parts[name], {**self._environment, **told, **(environment or {})})
        async with asyncio.timeout(START_PATIENCE):
            ready = await self._children[name].wait_until_ready()
        if not ready:
            raise RuntimeError(f"{name} did not start: {self._children[name].log.written()[-3000:]}")

    async def run_once(self, name: str) -> None:
        """Run a part that ends by itself."""
        await self._begin(self._parts[name], self._environment)
        code = await self._children[name].wait()
        if code != 0:
            raise RuntimeError(f"{name} ended with {code}: {self._children.pop(name).log.written()[-3000:]}")
        del self._children[name]

    async def _begin(self, part: Part, environment: Mapping[str, str]) -> None:
        if part.prepare is not None:
            await asyncio.to_thread(part.prepare)
        self._children[part.name] = Child(part, environment, self._logs / f"{part.name}.log")

    async def kill(self, name: str) -> None:
        """Kill -9."""
        self._children[name].kill()
        await self._children.pop(name).wait()

    async def restart(self, name: str) -> None:
        """Kill -9, then start again."""
        await self.kill(name)
        await self.start(name)

    async def stop(self, name: str) -> int:
        """Ask politely, as a deployment does, and wait; returns the exit code."""
        child = self._children.pop(name)
        await child.stop()
        return await child.wait()

    def freeze(self, name: str) -> None:
        """SIGSTOP: alive, and silent."""
        self._process(name).send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self._process(name).send_signal(signal.SIGCONT)

    def runs(self, name: str) -> bool:
        """Whether the part runs, without having ended by itself."""
        return name in self._children and not self._children[name].ended

    def pid(self, name: str) -> int:
        """The number of its process."""
        return self._children[name].pid

    def said(self, name: str) -> str:
        """What the part wrote since it was started."""
        return self._children[name].log.written()

    async def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Ask the database, as its owner."""
        async with await AsyncConnection.connect(
            self.database_url, autocommit=True, row_factory=dict_row
        ) as connection:
            return await (await connection.execute(statement.encode(), values)).fetchall()

    async def put_in_order(self, told: Told) -> None:
        """Start what does not run, end what nobody asked for or what was told otherwise."""
        for name in list(self._children):
            if name not in {*EVERYTHING, *told} or self._told.get(name, {}) != told.get(name, {}):
                await self._end(name)
        self._told = dict(told)
        for name in dict.fromkeys((*EVERYTHING, *told)):
            if self.runs(name):
                self.thaw(name)
            else:
                await self.start(name)

    async def end(self) -> None:
        """End whatever runs."""
        for name in reversed(list(self._children)):
            await self._end(name)

    async def _end(self, name: str) -> None:
        if self.runs(name):
            self.thaw(name)
        await self.kill(name)

    def _process(self, name: str) -> psutil.Process:
        return psutil.Process(self.pid(name))


@asynccontextmanager
async def open_house(folder: Path) -> AsyncIterator[House]:
    """Run the stack in a folder on free ports, migrated and with its demo tenant, until left."""
    async with Sink.open() as sink:
        settings = LocalSettings(
            data_dir=folder,
            api_port=free_port(),
            temporal_port=free_port(),
            temporal_ui_port=free_port(),
            smtp_url=f"smtp://127.0.0.1:{sink.port}",
            database_url=None,
            temporal_address=None,
        )
        house = House(Stack.of(settings), sink)
        try:
            for name in EVERYTHING:
                await house.start(name)
                if name == POSTGRES:
                    for once in ONCE:
                        await house.run_once(once)
            yield house
        finally:
            await house.end()
            await asyncio.to_thread(EmbeddedPostgres(folder / "postgres").end)
