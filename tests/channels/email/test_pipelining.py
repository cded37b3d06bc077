"""Letters that follow each other on one connection: no fault of one is told of another, and no round trip is wasted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from postroom.channels.base import Answer, Phase, Verdict
from postroom.identity import message_id
from tests.channels.email.conftest import DOMAIN, SHORT, Marker, Net, new_parcel, provider_at, waiting
from tests.channels.email.scripted import DEFAULTS, FEATURES, PLAIN_FEATURES, Act, Late, Move, Scripted, Then
from tests.channels.email.test_faults import FAULTS, Fault

both_ways = pytest.mark.parametrize("features", [FEATURES, PLAIN_FEATURES], ids=["pipelined", "step by step"])

REFUSED = b"550 5.1.1 no such user\r\n"


async def hand_off_all(net: Net, target: Any, marks: Sequence[Marker], **changes: Any) -> list[Answer]:
    """Hand off so many letters at once, over one connection unless told otherwise."""
    channel = net.channel(target, **{"connections": 1} | changes)
    return await asyncio.gather(*(channel.hand_off(new_parcel(n), mark) for n, mark in enumerate(marks)))


def arrived(server: Scripted) -> list[int]:
    """Which letters arrived, in order; an empty one has no number."""
    numbers = {message_id(new_parcel(n).delivery_id, DOMAIN).encode(): n for n in range(100)}
    bodies = [letter.body for letter in server.received]
    return [next((n for name, n in numbers.items() if name in body), -1) for body in bodies]


@asynccontextmanager
async def curious(offer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Run a server that looks, before it answers a body, at what else came with it: its port, and what it saw."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 curious\r\n")
        while line := await reader.readline():
            if line == b"DATA\r\n":
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                await asyncio.sleep(0.05)
                seen.append(bytes(reader._buffer))  # type: ignore[attr-defined]  # noqa: SLF001 - what nobody read yet
            writer.write(offer if line.startswith(b"EHLO") else b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], seen


async def test_the_next_envelope_is_there_before_the_answer(net: Net) -> None:
    async with curious(b"250-curious\r\n250 PIPELINING\r\n") as (port, seen):
        answers = await hand_off_all(net, provider_at(port), [Marker(), Marker()])
        await net.close()

    assert [answer.verdict for answer in answers] == [Verdict.ACCEPTED] * 2
    assert [came.split(b"\r\n") for came in seen] == [
        [b"MAIL FROM:<no-reply@postroom.example>", b"RCPT TO:<ada@example.com>", b"DATA", b""],
        [b""],
    ]


async def test_where_pipelining_is_not_announced_nothing_is_said_ahead(net: Net) -> None:
    async with curious(b"250 curious\r\n") as (port, seen):
        answers = await hand_off_all(net, provider_at(port), [Marker(), Marker()])
        await net.close()

    assert [answer.verdict for answer in answers] == [Verdict.ACCEPTED] * 2
    assert seen == [b"", b""]


@both_ways
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.step} {fault.move!r}")
async def test_a_fault_of_one_harms_no_neighbour(net: Net, features: tuple[str, ...], fault: Fault) -> None:
    server = await net.serve(script={fault.step: [DEFAULTS[fault.step], fault.move]}, features=features)
    marks = [Marker() for _ in range(4)]

    answers = await hand_off_all(net, server, marks)

    # What says nothing about the message may as well be the fault of its predecessor: it goes over a fresh connection.
    meant = (Verdict.ACCEPTED, "accepted") if fault.verdict is Verdict.UNAVAILABLE else (fault.verdict, fault.reason)
    assert [(answer.verdict, answer.reason) for answer in answers[:1] + answers[2:]] == [
        (Verdict.ACCEPTED, "accepted")
    ] * 3
    assert (answers[1].verdict, answers[1].reason) == meant
    unsent = fault.step != "BODY" and meant[0] is not Verdict.ACCEPTED
    assert arrived(server) == ([0, 2, 3] if unsent else [0, 1, 2, 3])
    assert [len(mark.asked) for mark in marks] == [1, int(not unsent), 1, 1]


@both_ways
async def test_bad_sequence_is_never_the_fault_of_the_next(net: Net, features: tuple[str, ...]) -> None:
    """A server that keeps a transaction open after it refused the body calls the next MAIL nested."""
    script = {"BODY": [b"554 5.6.0 no\r\n"], "MAIL": [DEFAULTS["MAIL"], b"503 5.5.1 nested MAIL\r\n"]}
    server = await net.serve(script=script, features=features)

    answers = await hand_off_all(net, server, [Marker(), Marker()])

    assert [answer.verdict for answer in answers] == [Verdict.REJECTED, Verdict.ACCEPTED]
    assert server.connections == 2


@both_ways
async def test_a_refusal_that_is_said_twice_is_not_told_to_the_next(net: Net, features: tuple[str, ...]) -> None:
    server = await net.serve(script={"BODY": [b"554 5.6.0 not this\r\n" * 2]}, features=features)

    answers = await hand_off_all(net, server, [Marker(), Marker()])

    assert [answer.verdict for answer in answers] == [Verdict.REJECTED, Verdict.ACCEPTED]
    assert arrived(server) == [0, 1]


@both_ways
async def test_a_refused_mark_harms_no_neighbour(net: Net, features: tuple[str, ...]) -> None:
    server = await net.serve(features=features)

    answers = await hand_off_all(net, server, [Marker(), Marker(verdict=False), Marker()])

    assert [answer.verdict for answer in answers] == [Verdict.ACCEPTED, Verdict.WITHDRAWN, Verdict.ACCEPTED]
    assert arrived(server) == [0, 2]


@both_ways
async def test_what_a_mark_raises_harms_no_neighbour(net: Net, features: tuple[str, ...]) -> None:
    async def broken() -> None:
        raise LookupError

    server = await net.serve(features=features)
    channel = net.channel(server, connections=1)
    marks = [Marker(), Marker(after=broken), Marker()]

    ends = await asyncio.gather(
        *(channel.hand_off(new_parcel(n), mark) for n, mark in enumerate(marks)), return_exceptions=True
    )

    assert [type(end) for end in ends] == [Answer, LookupError, Answer]
    assert arrived(server) == [0, 2]


@both_ways
async def test_a_slow_mark_keeps_the_order_and_the_connection(net: Net, features: tuple[str, ...]) -> None:
    server = await net.serve(features=features)

    answers = await hand_off_all(net, server, [Marker(), Marker(after=lambda: asyncio.sleep(0.2)), Marker()])

    assert [answer.verdict for answer in answers] == [Verdict.ACCEPTED] * 3
    assert arrived(server) == [0, 1, 2]
    assert server.connections == 1


async def test_a_server_that_asks_although_it_refused_gets_a_lone_dot(net: Net) -> None:
    script: dict[str, list[Move]] = {"RCPT": [REFUSED], "DATA": [b"354 go\r\n"], "BODY": [b"554 5.5.1 nobody\r\n"]}
    server, marks = await net.serve(script=script), [Marker(), Marker()]

    answers = await hand_off_all(net, server, marks)

    assert [answer.reason for answer in answers] == ["mailbox_unknown", "accepted"]
    assert [len(mark.asked) for mark in marks] == [0, 1]
    assert (server.received[0].recipients, server.received[0].body) == ([], b"")
    assert arrived(server) == [-1, 1]
    assert server.connections == 1
    assert "RSET" in server.verbs()


@pytest.mark.parametrize("move", [b"250 2.0.0 queued\r\n", Act.DROP, Act.HANG, b"?\r\n", b"354 more\r\n"], ids=str)
async def test_any_other_answer_to_the_lone_dot_ends_the_connection(net: Net, move: Move) -> None:
    script: dict[str, list[Move]] = {"RCPT": [REFUSED], "DATA": [b"354 go\r\n"], "BODY": [move]}
    server, marks = await net.serve(script=script), [Marker(), Marker()]

    answers = await hand_off_all(net, server, marks)

    assert [answer.reason for answer in answers] == ["mailbox_unknown", "accepted"]
    assert server.received[0].recipients == []
    assert arrived(server) == [-1, 1]
    assert server.connections == 2


async def test_no_lone_dot_where_it_would_send_an_empty_message(net: Net) -> None:
    script = {"MAIL": [b"451 4.3.0 later\r\n"], "RCPT": [b"250 ok\r\n"], "DATA": [b"354 go\r\n"]}
    server, marks = await net.serve(script=script), [Marker(), Marker()]

    answers = await hand_off_all(net, server, marks)

    assert [answer.reason for answer in answers] == ["temporary_refusal", "accepted"]
    assert arrived(server) == [1]
    assert server.connections == 2


@both_ways
async def test_messages_per_connection_count_those_that_follow(net: Net, features: tuple[str, ...]) -> None:
    server = await net.serve(features=features)

    answers = await hand_off_all(net, provider_at(server.port, per_connection=2), [Marker() for _ in range(5)])

    assert {answer.verdict for answer in answers} == {Verdict.ACCEPTED}
    assert server.connections == 3


async def test_nobody_follows_long_behind_a_server_that_takes_its_time(net: Net) -> None:
    server = await net.serve(script={"BODY": [Late(0.4, DEFAULTS["BODY"])]})
    channel = net.channel(server, connections=2, timing=replace(SHORT, follow_patience=timedelta(seconds=0.05)))
    order: list[int] = []

    async def one(number: int) -> Answer:
        answer = await channel.hand_off(new_parcel(number), Marker())
        order.append(number)
        return answer

    answers = await asyncio.gather(*(one(number) for number in range(6)))

    assert {answer.verdict for answer in answers} == {Verdict.ACCEPTED}
    slow = next(n for n, letter in enumerate(arrived(server)) if letter == order[-1])
    assert slow < 2, "one of the first two was answered late, and last"
    assert sorted(arrived(server)) == list(range(6))


@pytest.mark.parametrize("frozen", [b".\r\n", b"..\r\n.\r\n", b"a\r\n.\r\nMAIL FROM:<x@y.com>\r\n.", b""], ids=str)
async def test_dots_stay_what_they_are(net: Net, frozen: bytes) -> None:
    server = await net.serve()
    channel = net.channel(server, connections=1)

    await asyncio.gather(*(channel.hand_off(new_parcel(n, message=frozen), Marker()) for n in range(3)))

    whole = frozen if frozen.endswith(b"\r\n") else frozen + b"\r\n"
    assert [letter.body for letter in server.received] == [whole] * 3


@pytest.mark.parametrize("moment", ["waiting", "riding", "marking"])
async def test_cancelled_before_its_body_a_letter_harms_no_neighbour(net: Net, moment: str) -> None:
    """Riding is the moment at which its envelope is said and the answer to its predecessor is due."""
    held, slow = asyncio.Event(), Late(0.2, DEFAULTS["BODY"])
    server = await net.serve(script={"BODY": [slow] if moment == "riding" else []})
    channel = net.channel(server, connections=1)
    first = Marker(after=waiting(held)) if moment == "waiting" else Marker()
    second = Marker(after=waiting(held)) if moment == "marking" else Marker()
    tasks = [
        asyncio.create_task(channel.hand_off(new_parcel(n), mark)) for n, mark in enumerate([first, second, Marker()])
    ]
    await asyncio.sleep(0.1)

    tasks[1].cancel()
    await asyncio.sleep(0)
    held.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(ends[1], asyncio.CancelledError)
    assert [end.verdict for end in ends if isinstance(end, Answer)] == [Verdict.ACCEPTED] * 2
    assert arrived(server) == [0, 2]


async def test_cancelled_after_its_body_a_letter_is_answered_and_so_are_its_neighbours(net: Net) -> None:
    server = await net.serve(script={"BODY": [DEFAULTS["BODY"], Late(0.2, DEFAULTS["BODY"])]})
    channel = net.channel(server, connections=1)
    tasks = [asyncio.create_task(channel.hand_off(new_parcel(n), Marker())) for n in range(3)]
    await asyncio.sleep(0.1)
    assert arrived(server) == [0, 1]

    tasks[1].cancel()

    assert [answer.verdict for answer in await asyncio.gather(*tasks)] == [Verdict.ACCEPTED] * 3


@both_ways
async def test_a_server_that_hangs_up_during_the_mark_gets_no_body(net: Net, features: tuple[str, ...]) -> None:
    too_slow = Then(DEFAULTS["DATA"], 0.05, b"421 4.4.2 too slow\r\n")
    server = await net.serve(script={"DATA": [too_slow]}, features=features)
    marks = [Marker(after=lambda: asyncio.sleep(0.15)), Marker()]

    answers = await hand_off_all(net, server, marks)

    assert [(answer.verdict, answer.reason) for answer in answers] == [(Verdict.UNAVAILABLE, "provider_busy")] * 2
    assert [answer.phase for answer in answers] == [Phase.MARK, Phase.CONNECT]
    assert [len(mark.asked) for mark in marks] == [1, 0]
    assert server.received == []
