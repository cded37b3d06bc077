"""A running API on a socket of its own, and callers for both tenants."""

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from api.app import create_app
from postroom.database.engine import Database
from postroom.rates import WINDOW_SECONDS
from postroom.settings import Settings
from postroom.tenants.directory import Directory
from postroom.tenants.keys import Scope
from tests.fixtures.database import Tenant, Tenants
from tests.fixtures.plain_http import plain_client
from tests.fixtures.serving import serving

LETTER: Mapping[str, Any] = {
    "channel": "email",
    "title": "Hello",
    "content": "Good day.",
    "metadata": {"email": "ada@shop.de"},
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant's key and the wire to the API."""

    tenant: Tenant
    key: str
    wire: httpx2.AsyncClient

    async def get(self, path: str, **query: Any) -> Any:
        """Read something that is there."""
        answer = await self.wire.get(f"/api/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.wire.post(f"/api/v1{path}", json=body, headers=named)

    async def send(self, **changes: Any) -> httpx2.Response:
        return await self.post("/notifications", {**LETTER, **changes})

    async def sent(self, **changes: Any) -> str:
        """Send what is fine, and return its id."""
        answer = await self.send(**changes)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])


@asynccontextmanager
async def calling(  # noqa: PLR0913 - what a caller is made of
    database: Database, settings: Settings, url: str, tenant: Tenant, scopes: Collection[Scope] = tuple(Scope)
) -> AsyncIterator[Caller]:
    """Make a key and a wire that carries it."""
    directory = Directory(database, settings.pepper.get_secret_value().encode())
    key, _ = await directory.add_key(tenant.slug, "test", scopes)
    async with plain_client(base_url=url, headers={"Authorization": f"Bearer {key.text}"}, timeout=20) as wire:
        yield Caller(tenant, key.text, wire)


@pytest.fixture(scope="session")
def settings(database_url: str) -> Settings:
    """The deployment that the tests of the API share; a test with wishes of its own copies and changes it."""
    return Settings(
        database_url=database_url,
        smtp_url=SecretStr("smtp://127.0.0.1:1025"),
        sealing_keys=SecretStr("test:" + base64.b64encode(os.urandom(32)).decode()),
        pepper=SecretStr(base64.b64encode(os.urandom(32)).decode()),
        temporal_address="127.0.0.1:1",
        temporal_ui_url="http://temporal.example/",
        time_scale=0.01,
    )


@pytest.fixture(scope="session")
async def api_url(settings: Settings) -> AsyncIterator[str]:
    """Address of the API that the tests share."""
    async with serving(create_app(settings)) as url:
        yield url


@pytest.fixture
async def alice(database: Database, settings: Settings, api_url: str, tenants: Tenants) -> AsyncIterator[Caller]:
    """The tenant that acts."""
    async with calling(database, settings, api_url, tenants.alice) as caller:
        yield caller


@pytest.fixture
async def decoy(database: Database, settings: Settings, api_url: str, tenants: Tenants) -> AsyncIterator[Caller]:
    """The tenant that must never be seen."""
    async with calling(database, settings, api_url, tenants.decoy) as caller:
        yield caller


@asynccontextmanager
async def limited(database: Database, settings: Settings, tenants: Tenants, **limits: int) -> AsyncIterator[Caller]:
    """A caller of an API with other limits."""
    changed = settings.model_copy(update=limits)
    async with serving(create_app(changed)) as url, calling(database, changed, url, tenants.alice) as caller:
        yield caller


async def early_in_a_window() -> None:
    """Wait until counting to a hundred cannot straddle two windows of a rate."""
    if (left := WINDOW_SECONDS - time.monotonic() % WINDOW_SECONDS) < 10:
        await asyncio.sleep(left)


def problem(answer: httpx2.Response) -> tuple[int, str, list[str]]:
    """What a refusal says: status, code, and the places of the bad fields."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    places = [str(one.get("pointer", one.get("parameter"))) for one in body.get("errors", [])]
    return answer.status_code, body["code"], places
