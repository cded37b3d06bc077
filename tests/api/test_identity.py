"""Who may in: a key is known, alive and made for what it asks."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from postroom.database.engine import Database
from postroom.identity import API_KEY, public_id
from postroom.settings import Settings
from postroom.tenants.directory import Directory
from postroom.tenants.keys import Scope, new_key
from tests.api.conftest import Caller, calling, problem
from tests.fixtures.database import Tenants
from tests.fixtures.plain_http import plain_client


@pytest.fixture
def directory(database: Database, settings: Settings) -> Directory:
    return Directory(database, settings.pepper.get_secret_value().encode())


async def asked_with(url: str, header: str | None) -> httpx2.Response:
    headers = {} if header is None else {b"Authorization": header.encode()}
    async with plain_client(base_url=url, headers=headers) as wire:
        return await wire.get("/api/v1/notifications")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "key_missing"),
        ("", "key_missing"),
        ("Bearer", "key_missing"),
        ("Basic cHI6eA==", "key_missing"),
        ("Bearer nonsense", "key_unknown"),
        (f"Bearer {new_key(b'other pepper').text}", "key_unknown"),
        ("Bearer pr_" + "0" * 49, "key_unknown"),
        ("Bearer \u00e4", "key_unknown"),
    ],
    ids=["none", "empty", "no key", "basic", "nonsense", "another deployment's", "zeros", "beyond ascii"],
)
async def test_strangers_stay_outside(api_url: str, header: str | None, code: str) -> None:
    answer = await asked_with(api_url, header)
    assert problem(answer) == (401, code, [])
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "ratelimit-limit" not in answer.headers


async def test_a_key_ends(api_url: str, directory: Directory, tenants: Tenants) -> None:
    ended, _ = await directory.add_key(tenants.alice.slug, "old", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert problem(await asked_with(api_url, f"Bearer {ended.text}")) == (401, "key_expired", [])


async def test_a_revoked_key_is_out_within_five_seconds(api_url: str, directory: Directory, tenants: Tenants) -> None:
    key, row = await directory.add_key(tenants.alice.slug, "lost")
    header = f"bearer  {key.text}"
    assert (await asked_with(api_url, header)).status_code == 200
    await directory.revoke_key(tenants.alice.slug, public_id(API_KEY, row["id"]))
    async with asyncio.timeout(5):
        while (answer := await asked_with(api_url, header)).status_code == 200:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.1)
    assert problem(answer) == (401, "key_revoked", [])


async def test_a_key_does_what_it_was_made_for(
    database: Database, settings: Settings, api_url: str, tenants: Tenants
) -> None:
    async with calling(database, settings, api_url, tenants.alice, [Scope.CONTACTS_READ]) as reader:
        assert (await reader.wire.get("/api/v1/contacts/ada")).status_code == 404
        for answer in (
            await reader.send(),
            await reader.wire.put("/api/v1/contacts/ada", json={}),
            await reader.wire.get("/api/v1/users/ada/inbox"),
            await reader.post("/users/ada/inbox/read-all"),
            await reader.wire.get("/api/v1/notifications"),
        ):
            assert problem(answer) == (403, "insufficient_scope", [])


async def test_a_stranger_is_refused_before_the_body_is_looked_at(api_url: str, alice: Caller) -> None:
    async with plain_client(base_url=api_url) as wire:
        for path in ("/api/v1/notifications", "/api/v1/notifications/notif_1/reschedule"):
            answer = await wire.post(path, json={"unknown": 1})
            assert problem(answer) == (401, "key_missing", [])
