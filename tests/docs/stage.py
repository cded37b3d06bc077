"""An API with a tenant as `make up` leaves it, and a worker beside it, for the examples that are pasted against it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from api.app import create_app
from postroom.database.engine import Database
from postroom.local.demo import DEMO_KEY
from postroom.local.scene import API_PORT
from postroom.settings import Settings
from postroom.tenants.directory import Directory
from tests.docs.pages import CHECKOUT
from tests.fixtures.engine import engine_process
from tests.fixtures.serving import serving
from tests.fixtures.sink import Sink


@asynccontextmanager
async def demo(database: Database, settings: Settings, slug: str) -> AsyncIterator[tuple[str, str]]:
    """Serve the API and set the scene for this tenant; yields the API's address and a key."""
    key, _ = await Directory(database, settings.pepper.get_secret_value().encode()).add_key(slug, "documents")
    async with serving(create_app(settings)) as url:
        environment = os.environ | {DEMO_KEY: key.text, API_PORT: str(urlsplit(url).port)}
        scene = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "postroom.local.scene", cwd=CHECKOUT, env=environment, stderr=asyncio.subprocess.PIPE
        )
        _, said = await scene.communicate()
        assert (scene.returncode, said) == (0, b"")
        yield url, key.text


@asynccontextmanager
async def worker(settings: Settings, folder: Path) -> AsyncIterator[None]:
    """Run a worker process with an engine and a mail server of its own; nothing else may use its database."""
    async with engine_process(folder) as engine, Sink.open() as sink:
        told = {
            "DATABASE_URL": settings.database_url,
            "TEMPORAL_ADDRESS": engine,
            "SMTP_URL": f"smtp://127.0.0.1:{sink.port}",
            "POSTROOM_SEALING_KEYS": settings.sealing_keys.get_secret_value(),
            "POSTROOM_PEPPER": settings.pepper.get_secret_value(),
        }
        command = [sys.executable, "-m", "worker"]
        with (folder / "worker.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=CHECKOUT, env=os.environ | told, stdout=log, stderr=log
            )
        try:
            yield
        finally:
            process.terminate()
            await process.wait()
