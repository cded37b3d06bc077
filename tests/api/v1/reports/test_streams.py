"""A task watched while it moves, over a real server: what is told, to how many, and what it leaves behind."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

import httpx2
import pytest

from api.app import create_app
from postroom.database.engine import Database
from postroom.identity import TASK, public_id
from postroom.settings import Settings
from tests.api.conftest import Caller, calling, problem
from tests.fixtures.cluster import CHECKOUT
from tests.fixtures.database import Tenants
from tests.fixtures.frozen_tasks import Sending, sending_task
from tests.fixtures.rows import change, rows
from tests.fixtures.serving import serving
from tests.fixtures.waiting import until

PATIENCE = 20


class Watcher:
    """One stream of events."""

    def __init__(self, answer: httpx2.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, str]:
        """The next event: its fields."""
        event: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            async for line in self._lines:
                if not line and "event" in event:
                    return event
                name, _, value = line.partition(": ")
                if name:
                    event[name] = value
        raise EOFError

    async def report(self) -> dict[str, Any]:
        """The next report."""
        event = await self.next()
        assert event["event"] == "report"
        found: dict[str, Any] = json.loads(event["data"])
        return found


@asynccontextmanager
async def watching(caller: Caller, task: Sending, **headers: str) -> AsyncIterator[Watcher]:
    path = f"/api/v1/tasks/{public_id(TASK, task.id)}/report/stream"
    async with caller.wire.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield Watcher(answer)


@pytest.fixture
async def task(database: Database, alice: Caller) -> Sending:
    task = await sending_task(database, alice.tenant.id, 30, page=10)
    await task.become("accepted", 1, 2, 3)
    return task


async def test_it_tells_at_once_and_when_something_changed_until_the_end(alice: Caller, task: Sending) -> None:
    async with watching(alice, task) as watcher:
        first = await watcher.report()
        assert (first["audience"], first["counts"]["accepted"], first["state"]) == (30, 3, "sending")
        await task.become("accepted", 4)
        second = await watcher.report()
        assert (second["counts"]["accepted"], sum(second["counts"].values())) == (4, 30)
        await task.touch("open", 1)
        assert (await watcher.report())["opens"]["unique_human"] == 1
        await task.become("cancelled", *range(5, 31))
        await task.put("cancelled")
        while (event := await watcher.next())["event"] == "report":
            last = json.loads(event["data"])
        assert (last["state"], last["final"], event["event"]) == ("cancelled", 30, "end")
        with pytest.raises(EOFError):
            await watcher.next()


async def test_it_expects_no_end_before_the_last_recipients_own_time(
    alice: Caller, task: Sending, database: Database
) -> None:
    tomorrow = "UPDATE deliveries SET not_before = now() + interval '1 day' WHERE task_id = %s AND seq = 25"
    await change(database, tomorrow, task.id)
    [told] = await rows(database, "SELECT max(not_before) AS latest FROM deliveries WHERE task_id = %s", task.id)
    async with watching(alice, task) as watcher:
        assert (await watcher.report())["estimated_end_at"] is None  # nothing shows yet how fast it goes
        await task.become("accepted", 4)
        expected = (await watcher.report())["estimated_end_at"]
        assert datetime.fromisoformat(expected) == told["latest"]


async def test_what_was_seen_is_not_told_again(alice: Caller, task: Sending) -> None:
    await task.put("paused", "requested")
    async with watching(alice, task) as watcher:
        seen = (await watcher.next())["id"]
    async with watching(alice, task, **{"last-event-id": seen}) as watcher:
        await task.become("accepted", 5)
        assert (await watcher.report())["counts"]["accepted"] == 4
    await task.put("completed")
    async with watching(alice, task) as watcher:
        over = (await watcher.next())["id"]
    async with watching(alice, task, **{"last-event-id": over}) as watcher:
        assert (await watcher.next())["event"] == "end"


async def test_ninety_watchers_share_one_reader_and_leave_nothing(
    database: Database, settings: Settings, tenants: Tenants
) -> None:
    task = await sending_task(database, tenants.alice.id, 10)
    changed = settings.model_copy(update={"streams_per_key": 90})
    app = create_app(changed)

    async def nobody() -> bool:
        return bool(app.state.services.watching.size == (0, 0))

    async with serving(app) as url, calling(database, changed, url, tenants.alice) as caller:
        async with AsyncExitStack() as stack:
            watchers = [await stack.enter_async_context(watching(caller, task)) for _ in range(90)]
            for watcher in watchers:
                assert (await watcher.report())["audience"] == 10
            assert app.state.services.watching.size == (1, 90)
            path = f"/api/v1/tasks/{public_id(TASK, task.id)}/report/stream"
            assert problem(await caller.wire.get(path))[:2] == (429, "too_many_streams")
            await task.become("accepted", 1)
            told = [await watcher.report() for watcher in watchers]
            assert {one["counts"]["accepted"] for one in told} == {1}
        await until(nobody, PATIENCE)


async def test_one_tenants_watchers_see_one_tenants_task(alice: Caller, decoy: Caller, task: Sending) -> None:
    path = f"/api/v1/tasks/{public_id(TASK, task.id)}/report/stream"
    async with watching(alice, task) as watcher:
        await watcher.report()
        assert problem(await decoy.wire.get(path))[:2] == (404, "not_found")


async def test_a_server_that_drains_lets_its_watchers_go(
    database: Database, settings: Settings, tenants: Tenants
) -> None:
    task = await sending_task(database, tenants.alice.id, 10)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "api.app:create_app", "--port", str(port)]
    server = await asyncio.create_subprocess_exec(*command, cwd=CHECKOUT, env={**os.environ, **environment(settings)})
    try:
        async with calling(database, settings, f"http://127.0.0.1:{port}", tenants.alice) as caller:
            await answering(caller)
            async with watching(caller, task) as watcher:
                await watcher.report()
                server.send_signal(signal.SIGTERM)
                with pytest.raises(EOFError):
                    await watcher.next()
        assert await asyncio.wait_for(server.wait(), PATIENCE) in {0, -signal.SIGTERM}
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()
    assert (await rows(database, "SELECT state FROM campaign_tasks WHERE id = %s", task.id))[0]["state"] == "sending"


def environment(settings: Settings) -> dict[str, str]:
    return {
        "DATABASE_URL": settings.database_url,
        "SMTP_URL": settings.smtp_url.get_secret_value(),
        "POSTROOM_SEALING_KEYS": settings.sealing_keys.get_secret_value(),
        "POSTROOM_PEPPER": settings.pepper.get_secret_value(),
    }


async def answering(caller: Caller) -> None:
    async with asyncio.timeout(PATIENCE * 3):
        while True:
            try:
                if (await caller.wire.get("/health")).status_code == 200:
                    return
            except httpx2.TransportError:
                await asyncio.sleep(0.1)
