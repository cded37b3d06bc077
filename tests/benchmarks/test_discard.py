"""The mail server that keeps nothing still speaks SMTP: step by step, pipelined, and with half a message to a write."""

import asyncio
from collections.abc import AsyncIterator

import aiosmtplib
import pytest

from benchmarks.discard import Discard

ENVELOPE = b"MAIL FROM:<a@bench.example>\r\nRCPT TO:<b@bench.example>\r\nDATA\r\n"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(Discard, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def codes_after(port: int, writes: list[bytes]) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for one in writes:
        writer.write(one)
        await writer.drain()
        await asyncio.sleep(0.01)
    writer.write(b"QUIT\r\n")
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return [line[:3] for line in said.splitlines()]


async def test_a_client_sends_step_by_step(port: int) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as smtp:
        for _ in range(3):
            errors, said = await smtp.sendmail("a@bench.example", ["b@bench.example"], b"Subject: x\r\n\r\n.dot\r\n")
            assert errors == {}
            assert said.startswith("2.0.0")
        assert smtp.supports_extension("pipelining")


async def test_the_next_envelope_rides_behind_the_final_dot(port: int) -> None:
    body = b"Subject: x\r\n\r\nhello\r\n.\r\n"
    codes = await codes_after(port, [ENVELOPE, body + ENVELOPE, body])
    assert codes == [b"220", *[b"250", b"250", b"354", b"250"] * 2, b"221"]


async def test_a_lone_dot_ends_an_empty_body(port: int) -> None:
    assert await codes_after(port, [ENVELOPE, b".\r\n"]) == [b"220", b"250", b"250", b"354", b"250", b"221"]


async def test_an_end_that_comes_in_two_writes_is_one_end(port: int) -> None:
    codes = await codes_after(port, [ENVELOPE, b"Subject: x\r\n\r\nhel", b"lo\r\n.", b"\r\n"])
    assert codes == [b"220", b"250", b"250", b"354", b"250", b"221"]
