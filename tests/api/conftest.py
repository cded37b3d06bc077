"""A running API on a socket of its own, and callers for both tenants."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import uvicorn

from api.app import create_app
from postroom.database.engine import Database
from postroom.settings import Settings
from postroom.tenants.directory import Directory
from postroom.tenants.keys import Scope
from tests.fixtures.database import Tenant, Tenants
from tests.fixtures.serving import serving

Body = Mapping[str, Any]
KeyMaker = Callable[[Tenant], Awaitable[str]]

LETTER: Body = {"channel": "email", "title": "Hello", "content": "Good day.", "metadata": {"email": "ada@shop.de"}}


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant's key and the wire to the API."""

    tenant: Tenant
    wire: httpx2.AsyncClient

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.wire.request(method, f"/api/v1{path}", json=body, headers=named)

    async def send(self, headers: Mapping[str, str] | None = None, **changes: Any) -> httpx2.Response:
        return await self.wire.post("/api/v1/notifications", json={**LETTER, **changes}, headers=headers)


@pytest.fixture
def pepper(settings: Settings) -> bytes:
    return settings.pepper.get_secret_value().encode()


@pytest.fixture
async def api_url(settings: Settings) -> AsyncIterator[str]:
    async with serving(create_app(settings)) as url:
        yield url


async def caller_of(database: Database, pepper: bytes, url: str, tenant: Tenant, scopes: Any = tuple(Scope)) -> Caller:
    key, _ = await Directory(database, pepper).add_key(tenant.slug, "test", scopes)
    wire = httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key.text}"}, timeout=20)
    return Caller(tenant, wire)


@pytest.fixture
async def alice(database: Database, pepper: bytes, api_url: str, tenants: Tenants) -> AsyncIterator[Caller]:
    caller = await caller_of(database, pepper, api_url, tenants.alice)
    async with caller.wire:
        yield caller


@pytest.fixture
async def decoy(database: Database, pepper: bytes, api_url: str, tenants: Tenants) -> AsyncIterator[Caller]:
    caller = await caller_of(database, pepper, api_url, tenants.decoy)
    async with caller.wire:
        yield caller
