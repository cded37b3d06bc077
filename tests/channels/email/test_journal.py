"""Evidence is what the relay says, and only about what it can know."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from postroom.channels.base import Evidence, Suspect
from postroom.channels.email.journal import PAGE, TRIES
from postroom.identity import message_id
from tests.channels.email.conftest import DOMAIN, TENANT, Net


class FakeJournal:
    """An HTTP server that answers one question the way a test says."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.absent: set[str] = set()
        self.asked: list[list[str]] = []
        self.raw: bytes | None = None
        self.lost = 0  # so many questions are not answered

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        ids = json.loads(await reader.readexactly(length))["message_ids"]
        assert head.startswith(b"POST /api/evidence ")
        self.asked.append(ids)
        said = {"found": {one: {} for one in ids if one in self.found}, "absent": [i for i in ids if i in self.absent]}
        body = json.dumps(said).encode()
        self.lost -= 1
        writer.write(
            b""
            if self.lost >= 0
            else self.raw or b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def journal() -> AsyncIterator[tuple[FakeJournal, str]]:
    told = FakeJournal()
    server = await asyncio.start_server(told.answer, "127.0.0.1", 0)
    yield told, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


def suspect(number: int, provider: str | None = "mailbox") -> Suspect:
    return Suspect(UUID(int=number), TENANT, message_id(UUID(int=number), DOMAIN), provider)


async def test_found_absent_and_silent(net: Net, journal: tuple[FakeJournal, str]) -> None:
    told, url = journal
    told.found = {suspect(1).message_id}
    told.absent = {suspect(2).message_id}

    said = await net.channel(evidence_url=url).evidence([suspect(1), suspect(2), suspect(3)])

    assert said == {UUID(int=1): Evidence.FOUND, UUID(int=2): Evidence.ABSENT}


async def test_absence_counts_only_from_the_provider_that_had_it(net: Net, journal: tuple[FakeJournal, str]) -> None:
    told, url = journal
    told.found = {suspect(1).message_id}
    told.absent = {suspect(n).message_id for n in (2, 3, 4)}
    channel = net.channel(evidence_url=url, evidence_provider="mailbox")

    said = await channel.evidence([suspect(1, "other"), suspect(2, "other"), suspect(3, "mailbox"), suspect(4, None)])

    assert said == {UUID(int=1): Evidence.FOUND, UUID(int=3): Evidence.ABSENT}


async def test_many_are_asked_in_pages(net: Net, journal: tuple[FakeJournal, str]) -> None:
    told, url = journal
    told.absent = {suspect(number).message_id for number in range(PAGE + 1)}

    said = await net.channel(evidence_url=url).evidence([suspect(number) for number in range(PAGE + 1)])

    assert len(said) == PAGE + 1
    assert [len(ids) for ids in told.asked] == [PAGE, 1]


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{"found": 1, "absent": null}'[:-1],
        b"garbage\r\n\r\n",
    ],
    ids=["error", "redirect", "no json", "empty", "other shape", "no http"],
)
async def test_a_journal_that_makes_no_sense_is_silent(net: Net, journal: tuple[FakeJournal, str], raw: bytes) -> None:
    told, url = journal
    told.raw = raw

    assert await net.channel(evidence_url=url).evidence([suspect(1)]) == {}


async def test_a_question_that_got_lost_is_asked_again(net: Net, journal: tuple[FakeJournal, str]) -> None:
    told, url = journal
    told.found, told.lost = {suspect(1).message_id}, TRIES - 1

    assert await net.channel(evidence_url=url).evidence([suspect(1)]) == {UUID(int=1): Evidence.FOUND}
    assert len(told.asked) == TRIES


async def test_a_journal_that_is_away_is_silent(net: Net) -> None:
    assert await net.channel(evidence_url="http://127.0.0.1:1").evidence([suspect(1)]) == {}


async def test_without_a_journal_nobody_is_asked(net: Net) -> None:
    assert await net.channel().evidence([suspect(1)]) == {}
