"""Whether this process lives, and whether what it needs is there."""

import asyncio
import time
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from psycopg import Error as DatabaseError
from pydantic import BaseModel, ConfigDict, Field

from postroom.channels.email.providers import parse_providers
from postroom.database.engine import Database, Role
from postroom.errors import Unavailable
from postroom.settings import Settings

PROBE_SECONDS = 1.0
MEMORY_SECONDS = 1.0  # anybody may ask, so asking often is no more work than asking once a second

Word = Literal["up", "down"]


class HealthView(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadyView(BaseModel):
    """What is up and what is down. Only the database decides whether requests can be accepted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"status": "ready", "down": [], "parts": {"database": "up", "temporal": "up", "mail_provider": "up"}}
            ]
        }
    )

    status: Literal["ready", "degraded", "unavailable"]
    down: list[str]
    parts: dict[str, Word] = Field(description="database, temporal, mail_provider")


class Readiness:
    """Looks at the parts, all at once and at most once a second."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._seen: tuple[float, ReadyView] | None = None
        self._looking: asyncio.Task[ReadyView] | None = None

    async def look(self) -> ReadyView:
        """Return what was seen within the last second."""
        if self._seen and time.monotonic() - self._seen[0] < MEMORY_SECONDS:
            return self._seen[1]
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> ReadyView:
        try:
            provider = parse_providers(self._settings.smtp_url.get_secret_value())[0]
            host, _, port = self._settings.temporal_address.rpartition(":")
            names = ("database", "temporal", "mail_provider")
            probes = (self._ask_database(), _connect(host, int(port)), _connect(provider.host, provider.port))
            answers = await asyncio.gather(*(_in_time(probe) for probe in probes))
            parts: dict[str, Word] = {
                name: "up" if answer else "down" for name, answer in zip(names, answers, strict=True)
            }
            view = _judge(parts)
            self._seen = (time.monotonic(), view)
            return view
        finally:
            self._looking = None

    async def _ask_database(self) -> None:
        async with self._database.transaction(Role.APP) as connection:
            await connection.execute("SELECT 1")


def health_routes() -> APIRouter:
    """Return the two routes; nobody needs a key for them."""
    router = APIRouter(tags=["health"])

    @router.get("/health", summary="Is the process alive?")
    async def health() -> HealthView:
        """Return at once, whatever else is down."""
        return HealthView()

    @router.get("/ready", summary="Can requests be accepted?", responses={503: {"model": ReadyView}})
    async def ready(request: Request, response: Response) -> ReadyView:
        """Name what is down; 503 when it is the database."""
        readiness: Readiness = request.app.state.readiness
        view = await readiness.look()
        if view.status == "unavailable":
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return view

    return router


def _judge(parts: dict[str, Word]) -> ReadyView:
    down = [name for name, word in parts.items() if word == "down"]
    if "database" in down:
        return ReadyView(status="unavailable", down=down, parts=parts)
    return ReadyView(status="degraded" if down else "ready", down=down, parts=parts)


async def _connect(host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()


async def _in_time(probe: Awaitable[None]) -> bool:
    """Tell whether a part answered; a probe that hangs is left behind, because even its end may hang."""
    work = asyncio.ensure_future(probe)
    work.add_done_callback(lambda task: task.cancelled() or task.exception())
    done, _ = await asyncio.wait({work}, timeout=PROBE_SECONDS)
    if not done:
        work.cancel()
        return False
    if error := work.exception():
        if not isinstance(error, OSError | DatabaseError | Unavailable):
            raise error
        return False
    return True
