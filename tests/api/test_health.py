"""Anybody may ask whether the process lives and what is missing; the answer is quick."""

import asyncio

import pytest
from pydantic import SecretStr

from api.app import create_app
from postroom.settings import Settings
from tests.fixtures.plain_http import plain_client
from tests.fixtures.serving import serving


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
async def test_alive_and_degraded(api_url: str, prefix: str) -> None:
    async with plain_client(base_url=api_url) as wire:
        assert (await wire.get(f"{prefix}/health")).json() == {"status": "ok"}
        ready = await wire.get(f"{prefix}/ready")
    assert ready.status_code == 200  # requests are accepted without the engine
    assert ready.json()["status"] == "degraded"
    assert "temporal" in ready.json()["down"]
    assert ready.json()["parts"]["database"] == "up"


async def test_ready_when_everything_answers(settings: Settings) -> None:
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        there = {"temporal_address": f"127.0.0.1:{port}", "smtp_url": SecretStr(f"smtp://127.0.0.1:{port}")}
        async with (
            serving(create_app(settings.model_copy(update=there))) as url,
            plain_client(base_url=url) as wire,
        ):
            answers = await asyncio.gather(*(wire.get("/ready") for _ in range(20)))
    assert {answer.json()["status"] for answer in answers} == {"ready"}


async def test_a_silent_part_does_not_keep_anybody_waiting(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.database.engine.POOL_PATIENCE_SECONDS", 300.0)
    nowhere = settings.model_copy(update={"database_url": "postgresql://x@/x?host=/nowhere"})
    async with (
        serving(create_app(nowhere)) as url,
        plain_client(base_url=url, timeout=60) as wire,
    ):
        ready = await wire.get("/ready")
    assert (ready.status_code, ready.json()["parts"]["database"]) == (503, "down")
