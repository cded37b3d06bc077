"""What goes over the wire is what was marked, once, in time, to the address that was given."""

import asyncio
import email
from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.channels.base import Parcel, Phase, Verdict
from postroom.identity import message_id
from tests.channels.email.conftest import DOMAIN, SHORT, Marker, Net, new_parcel
from tests.channels.email.scripted import FEATURES, PLAIN_FEATURES, Late, Move

both_ways = pytest.mark.parametrize("features", [FEATURES, PLAIN_FEATURES], ids=["pipelined", "step by step"])


@both_ways
async def test_an_accepted_message_arrives_as_it_was_marked(net: Net, features: tuple[str, ...], mark: Marker) -> None:
    server, parcel = await net.serve(features=features), new_parcel()

    answer = await net.channel(server).hand_off(parcel, mark)

    assert (answer.verdict, answer.phase, answer.code, answer.enhanced) == (
        Verdict.ACCEPTED,
        Phase.ANSWER,
        250,
        "2.0.0",
    )
    [received] = server.received
    [(marked, provider)] = mark.asked
    assert received.body == marked
    assert provider == answer.provider
    assert received.recipients == [b"RCPT TO:<ada@example.com>\r\n"]
    assert received.mail == b"MAIL FROM:<no-reply@postroom.example> SIZE=%d\r\n" % len(marked)
    assert email.message_from_bytes(received.body)["Message-ID"] == message_id(parcel.delivery_id, DOMAIN)


async def test_frozen_bytes_are_sent_and_nothing_else(net: Net, mark: Marker) -> None:
    frozen = b"Subject: first\r\n\r\n.dot\r\n..\r\n.\r\nlast"
    server = await net.serve()

    await net.channel(server).hand_off(new_parcel(title="second", message=frozen), mark)

    assert server.received[0].body == frozen + b"\r\n"
    assert mark.asked[0][0] == frozen


@both_ways
async def test_a_refused_mark_sends_nothing_and_ends_the_connection(net: Net, features: tuple[str, ...]) -> None:
    """There is no RSET inside DATA, and a lone dot would send an empty message."""
    server = await net.serve(features=features)
    channel = net.channel(server)

    withdrawn = await channel.hand_off(new_parcel(1), Marker(verdict=False))
    accepted = await channel.hand_off(new_parcel(2), Marker())

    assert (withdrawn.verdict, withdrawn.phase) == (Verdict.WITHDRAWN, Phase.MARK)
    assert accepted.verdict is Verdict.ACCEPTED
    assert server.connections == 2
    assert server.verbs() == ["EHLO", "MAIL", "RCPT", "DATA"] * 2
    assert len(server.received) == 1


@both_ways
async def test_the_mark_is_asked_when_the_server_waits_for_the_body(net: Net, features: tuple[str, ...]) -> None:
    server = await net.serve(features=features)
    heard: list[list[str]] = []

    async def look() -> None:
        heard.append(server.verbs())

    await net.channel(server).hand_off(new_parcel(), Marker(after=look))

    assert heard == [["EHLO", "MAIL", "RCPT", "DATA"]]


async def test_a_slow_mark_counts_from_when_it_was_asked_for(net: Net, parcel: Parcel) -> None:
    server = await net.serve()
    channel = net.channel(server, timing=replace(SHORT, mark_to_body=timedelta(seconds=0.1)))

    answer = await channel.hand_off(parcel, Marker(after=lambda: asyncio.sleep(0.2)))

    assert answer.reason == "late_after_mark"
    assert server.received == []


async def test_a_late_250_is_never_credited_to_the_next_message(net: Net) -> None:
    late = SHORT.hand_off_patience.total_seconds() + 0.2
    server = await net.serve(script={"BODY": [Late(late, b"250 ok\r\n"), b"550 5.1.1 no\r\n"]})
    channel = net.channel(server)

    first = await channel.hand_off(new_parcel(1), Marker())
    await asyncio.sleep(0.3)
    second = await channel.hand_off(new_parcel(2), Marker())

    assert first.verdict is Verdict.UNKNOWN
    assert second.verdict is Verdict.REJECTED
    assert server.connections == 2


@pytest.mark.parametrize(
    "script",
    [
        {"DATA": [b"354 go\r\n250 queued\r\n"]},
        {"DATA": [b"354 go\r\n2"]},
        {"RCPT": [b"250 ok\r\n354 go\r\n"]},
        {"RCPT": [b"250-ok\r\n550 no\r\n"]},
    ],
    ids=["answer before the body", "half an answer", "go before DATA", "two answers in one"],
)
async def test_an_answer_nobody_asked_for_ends_the_connection(
    net: Net, parcel: Parcel, script: dict[str, list[Move]]
) -> None:
    server = await net.serve(script=script)

    answer = await net.channel(server).hand_off(parcel, Marker(after=lambda: asyncio.sleep(0.02)))

    assert answer.verdict is Verdict.UNAVAILABLE
    assert answer.reason == "protocol_error"
    await asyncio.sleep(0.02)
    assert server.received == []


@pytest.mark.parametrize("extra", [b"250 again\r\n", b"421 4.4.2 idle\r\n", b"2"], ids=str)
async def test_a_connection_that_spoke_while_resting_is_not_used_again(net: Net, extra: bytes) -> None:
    server = await net.serve(script={"BODY": [b"250 ok\r\n" + extra]})
    channel = net.channel(server)

    first = await channel.hand_off(new_parcel(1), Marker())
    await asyncio.sleep(0.02)
    second = await channel.hand_off(new_parcel(2), Marker())

    assert [first.verdict, second.verdict] == [Verdict.ACCEPTED, Verdict.ACCEPTED]
    assert server.connections == 2


@pytest.mark.parametrize(
    "flood", [b"250-" + b"x" * 9000, b"250-more\r\n" * 8000, b"x" * 20_000], ids=["line", "lines", "noise"]
)
async def test_an_endless_reply_is_cut_short(net: Net, parcel: Parcel, flood: bytes) -> None:
    server = await net.serve(script={"RCPT": [flood]})

    answer = await net.channel(server).hand_off(parcel, Marker())

    assert (answer.verdict, answer.reason) == (Verdict.UNAVAILABLE, "protocol_error")


async def test_cancelled_before_the_body_nothing_is_sent(net: Net, parcel: Parcel) -> None:
    server = await net.serve(script={"DATA": [Late(0.1, b"354 go\r\n")]})
    task = asyncio.create_task(net.channel(server).hand_off(parcel, Marker()))
    await asyncio.sleep(0.05)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.1)
    assert server.received == []


async def test_cancelled_after_the_body_the_answer_is_still_heard(net: Net, parcel: Parcel) -> None:
    server = await net.serve(script={"BODY": [Late(0.2, b"250 ok\r\n")]})
    task = asyncio.create_task(net.channel(server).hand_off(parcel, Marker()))
    await asyncio.sleep(0.1)
    assert len(server.received) == 1

    task.cancel()

    assert (await task).verdict is Verdict.ACCEPTED
    assert task.cancelling() == 1


async def test_what_mark_raises_is_the_callers_and_nothing_is_sent(net: Net) -> None:
    async def broken(message: bytes | None, provider: str) -> bool:
        raise LookupError(provider)

    server = await net.serve()
    channel = net.channel(server)

    with pytest.raises(LookupError):
        await channel.hand_off(new_parcel(1), broken)
    answer = await channel.hand_off(new_parcel(2), Marker())

    assert answer.verdict is Verdict.ACCEPTED
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "changes", [{"address": "\u0430dmin@example.com"}, {"sender": "\u0430dmin@example.com"}], ids=str
)
async def test_a_local_part_beyond_ascii_needs_smtputf8(net: Net, mark: Marker, changes: dict[str, str]) -> None:
    server = await net.serve()

    answer = await net.channel(server).hand_off(new_parcel(**changes), mark)

    assert (answer.verdict, answer.reason) == (Verdict.REJECTED, "smtputf8_unsupported")
    assert mark.asked == []
    assert "MAIL" not in server.verbs()


async def test_with_smtputf8_the_address_goes_out_as_it_came(net: Net, mark: Marker) -> None:
    server = await net.serve(features=(*FEATURES, "SMTPUTF8"))

    answer = await net.channel(server).hand_off(new_parcel(address="\u0430dmin@example.com"), mark)

    assert answer.verdict is Verdict.ACCEPTED
    assert server.received[0].mail.endswith(b" BODY=8BITMIME SMTPUTF8\r\n")
    assert server.received[0].recipients == ["RCPT TO:<\u0430dmin@example.com>\r\n".encode()]
    assert "\r\nTo: \u0430dmin@example.com\r\n".encode() in server.received[0].body


@pytest.mark.parametrize(
    "address",
    [
        "a@b.com\r\nRCPT TO:<z@z.com>",
        "a@b.com> SIZE=1",
        "<a@b.com>",
        "a@b.com,c@d.com",
        "a b@b.com",
        "a@b.com\x00",
        "a@b.com\u2028",
        "a@b@c.com",
        "",
    ],
)
async def test_an_address_that_is_not_one_never_reaches_the_wire(net: Net, mark: Marker, address: str) -> None:
    server = await net.serve()

    answer = await net.channel(server).hand_off(new_parcel(address=address), mark)

    assert (answer.verdict, answer.reason) == (Verdict.REJECTED, "unbuildable_message")
    assert answer.detail
    assert answer.detail.startswith("invalid_recipient")
    assert (server.connections, mark.asked) == (0, [])


@pytest.mark.parametrize("title", ["Hi\r\nBcc: x@evil.example", "Hi\u2028there", "Hi\x00", "x" * 70_000])
async def test_a_header_that_cannot_be_built_rejects_the_message(net: Net, mark: Marker, title: str) -> None:
    server = await net.serve()

    answer = await net.channel(server).hand_off(new_parcel(title=title), mark)

    assert (answer.verdict, answer.reason) == (Verdict.REJECTED, "unbuildable_message")
    assert mark.asked == []


async def test_the_servers_words_are_kept_without_addresses(net: Net, parcel: Parcel) -> None:
    words = b"550-5.1.1 <ada@example.com>: no\x07user\r\n550 5.1.1 see mailto:postmaster@example.com " + b"x" * 900
    server = await net.serve(script={"RCPT": [words + b"\r\n"]})

    answer = await net.channel(server).hand_off(parcel, Marker())

    assert answer.detail
    assert "@" not in answer.detail
    assert answer.detail.startswith("5.1.1 <address> no user 5.1.1 see <address> xxx")
    assert len(answer.detail) == 500
    assert (answer.code, answer.enhanced) == (550, "5.1.1")
