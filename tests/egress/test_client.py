"""The guarded client against receivers that misbehave: nothing is followed, nothing is kept, everything ends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from postroom.egress.client import (
    BODY_LIMIT,
    EgressClient,
    Letter,
    NoAnswerError,
    Patience,
    UnreachableError,
    WithdrawnError,
)
from postroom.egress.reach import AddressInfo
from postroom.egress.targets import parse_target
from tests.fixtures.engine import free_port
from tests.fixtures.receiver import Reaction, Receiver, receiving
from tests.fixtures.sink.certificate import Authority

PATIENCE = Patience(timedelta(seconds=2), timedelta(seconds=0.5), timedelta(seconds=2))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[EgressClient]:
    opened = EgressClient(PATIENCE, public_only=False)
    yield opened
    await opened.close()


async def yes() -> bool:
    return True


def letter(url: str, **headers: str) -> Letter:
    return Letter(parse_target(url, public_only=False), headers, b'{"a": 1}')


def at(*addresses: str) -> Any:
    """A resolver that says this, in turn: the last answer stays."""
    said = [addresses[:1], addresses[1:]] if len(addresses) > 1 else [addresses]

    async def resolver(host: str, port: int) -> list[AddressInfo]:
        now = said.pop(0) if len(said) > 1 else said[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in now]

    return resolver


async def test_what_is_posted_arrives(client: EgressClient, receiver: Receiver) -> None:
    reply = await client.post(letter(receiver.url("/x?y=%20z"), **{"X-Mine": "1"}), yes)
    assert (reply.status, reply.body) == (200, b"thanks")
    assert reply.latency > timedelta(0)
    [request] = receiver.received
    assert (request.path, request.body) == ("/x?y=%20z", b'{"a": 1}')
    assert request.headers["x-mine"] == "1"
    assert request.headers["host"] == receiver.address.removeprefix("http://")


async def test_ready_is_asked_once_the_connection_stands_and_before_the_request(
    client: EgressClient, receiver: Receiver
) -> None:
    seen: list[tuple[int, int]] = []

    async def ready() -> bool:
        await asyncio.sleep(0.05)
        seen.append((receiver.open, len(receiver.received)))
        return False

    with pytest.raises(WithdrawnError):
        await client.post(letter(receiver.url()), ready)
    assert seen == [(1, 0)]
    await asyncio.sleep(0.05)
    assert receiver.received == []


async def test_redirects_are_not_followed(client: EgressClient, receiver: Receiver) -> None:
    receiver.react("/hook", Reaction(302, [("Location", receiver.url("/inside"))]))
    assert (await client.post(letter(receiver.url()), yes)).status == 302
    assert receiver.to("/inside") == []


async def test_no_cookie_is_kept_and_no_connection(client: EgressClient, receiver: Receiver) -> None:
    receiver.react("/hook", Reaction(200, [("Set-Cookie", "a=b; Path=/")]))
    for _ in range(2):
        await client.post(letter(receiver.url()), yes)
    assert all("cookie" not in request.headers for request in receiver.received)
    assert receiver.most_open == 1


@pytest.mark.parametrize("reaction", [Reaction(body=b"x" * 1_000_000), Reaction(body=b"x" * 5_000, drip=0.05)])
async def test_an_endless_body_is_cut_off(client: EgressClient, receiver: Receiver, reaction: Reaction) -> None:
    receiver.react("/hook", reaction)
    async with asyncio.timeout(5):
        reply = await client.post(letter(receiver.url()), yes)
    assert reply.status == 200
    assert 0 < len(reply.body) <= BODY_LIMIT


@pytest.mark.parametrize(
    ("reaction", "reason"),
    [
        (Reaction(wait=5), "no_answer"),
        (Reaction(hang_up=True), "no_answer"),
        (Reaction(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 20), "no_answer"),
        (Reaction(raw=b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3_000), "protocol_error"),
        (Reaction(raw=b"<html>hello</html>\r\n\r\n"), "protocol_error"),
        (Reaction(raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000), "protocol_error"),
        (Reaction(raw=b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), "protocol_error"),
        (Reaction(raw=b"HTTP/1.1 000 X\r\n\r\n"), "protocol_error"),
        (Reaction(raw=b"HTTP/2 200\r\n\r\n"), "protocol_error"),
        (Reaction(raw=b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), "protocol_error"),
        (Reaction(raw=b"hello"), "no_answer"),
    ],
)
async def test_no_proper_answer(client: EgressClient, receiver: Receiver, reaction: Reaction, reason: str) -> None:
    receiver.react("/hook", reaction)
    with pytest.raises(NoAnswerError) as silence:
        await client.post(letter(receiver.url()), yes)
    assert silence.value.reason == reason


async def test_nobody_there(client: EgressClient) -> None:
    for url in (f"http://127.0.0.1:{free_port()}/", "http://nobody.invalid/"):
        with pytest.raises(UnreachableError) as failure:
            await client.post(letter(url), yes)
        assert failure.value.reason == "destination_unreachable"


async def test_a_private_address_is_blocked_when_it_is_asked_for(receiver: Receiver) -> None:
    client = EgressClient(PATIENCE, public_only=True)
    with pytest.raises(UnreachableError) as failure:
        await client.post(letter(receiver.url()), yes)
    assert failure.value.reason == "blocked_destination"
    assert receiver.most_open == 0
    await client.close()


async def test_one_private_address_among_public_ones_blocks_them_all(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def getaddrinfo(host: str, port: int, **_: object) -> list[AddressInfo]:
        found = ("8.8.8.8", "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    client = EgressClient(PATIENCE, public_only=True)
    with pytest.raises(UnreachableError) as failure:
        await client.post(letter(receiver.url().replace("127.0.0.1", "two.example")), yes)
    assert failure.value.reason == "blocked_destination"
    assert receiver.most_open == 0
    await client.close()


async def test_a_head_that_drips_or_never_ends_is_cut_off(client: EgressClient) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError):
            while not writer.transport.is_closing():
                writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NoAnswerError) as silence:
            await client.post(letter(f"http://127.0.0.1:{port}/"), yes)
    assert silence.value.reason == "no_answer"


async def test_a_name_that_moves_is_connected_where_it_was_checked(receiver: Receiver) -> None:
    asked: list[str] = []
    where = at("127.0.0.1", "10.0.0.1")

    async def resolver(host: str, port: int) -> list[AddressInfo]:
        asked.append(host)
        found: list[AddressInfo] = await where(host, port)
        return found

    client = EgressClient(PATIENCE, public_only=False, resolver=resolver)
    url = receiver.url().replace("127.0.0.1", "rebinding.example")
    assert (await client.post(letter(url), yes)).status == 200
    assert asked == ["rebinding.example"]
    assert receiver.received[0].headers["host"].startswith("rebinding.example:")
    await client.close()


async def test_the_next_address_is_tried_when_one_refuses(receiver: Receiver) -> None:
    async def resolver(host: str, port: int) -> list[AddressInfo]:
        found = ("127.0.0.9", "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    client = EgressClient(PATIENCE, public_only=False, resolver=resolver)
    assert (await client.post(letter(receiver.url()), yes)).status == 200
    await client.close()


async def test_certificates_are_verified_by_name_not_by_address() -> None:
    authority = Authority.found()
    async with receiving(authority.server_context(("hooks.example",))) as receiver:
        client = EgressClient(PATIENCE, public_only=False, context=authority.client_context(), resolver=at("127.0.0.1"))
        right, wrong = (
            letter(receiver.url().replace("127.0.0.1", name)) for name in ("hooks.example", "other.example")
        )
        assert (await client.post(right, yes)).status == 200
        with pytest.raises(UnreachableError) as failure:
            await client.post(wrong, yes)
        assert failure.value.reason == "tls_failed"
        await client.close()


@pytest.mark.parametrize("expired", [True, False])
async def test_a_bad_certificate_is_no_way_down_to_plain_http(expired: bool) -> None:  # noqa: FBT001
    ours, others = Authority.found(), Authority.found()
    signer = ours if expired else others
    async with receiving(signer.server_context(expired=expired)) as receiver:
        client = EgressClient(PATIENCE, public_only=False, context=ours.client_context())
        with pytest.raises(UnreachableError) as failure:
            await client.post(letter(receiver.url()), yes)
        assert failure.value.reason == "tls_failed"
        assert receiver.received == []
        await client.close()


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")
    client = EgressClient(PATIENCE, public_only=False)
    assert (await client.post(letter(receiver.url()), yes)).status == 200
    await client.close()
