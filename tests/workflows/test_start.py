"""A poke at an engine that takes the call and never answers."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import Client

from postroom.carriers.poking import Poke
from postroom.identity import new_id
from postroom.relay.relay import EngineAway
from postroom.timing import Timing
from workflows import start, starters
from workflows.payloads import data_converter


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@pytest.mark.parametrize("pokes", [1, 2])
async def test_is_given_up_before_the_sdk_gives_up(monkeypatch: pytest.MonkeyPatch, pokes: int) -> None:
    monkeypatch.setattr(start, "POKE_PATIENCE", timedelta(seconds=0.2))
    monkeypatch.setattr(start, "CALL_PATIENCE", timedelta(hours=1))
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    client = await Client.connect(f"{host}:{port}", lazy=True, data_converter=data_converter)
    poke = Poke(new_id(), new_id(), "shop", "notification/shop/1", 3, "email", "alone", 1, pokes)
    async with server, asyncio.timeout(30):
        with pytest.raises(EngineAway):
            await starters.carrier_starter(client, Timing())(poke)
