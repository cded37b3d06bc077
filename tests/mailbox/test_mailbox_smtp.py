"""The mailbox as an SMTP server: pipelining, order, limits, smuggling and silence."""

import asyncio
import time

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mailbox.framing import BadLine, Framing
from postroom.mailbox.process import Mailbox
from tests.mailbox.conftest import MESSAGE_LIMIT, SILENCE
from tests.mailbox.dialogue import Dialogue, mail

ENVELOPE = b"MAIL FROM:<shop@example.org>\r\nRCPT TO:<ada@example.org>\r\nDATA\r\n"


async def raw_of(page: httpx2.AsyncClient, ident: int) -> bytes:
    return (await page.get(f"/api/messages/{ident}/raw")).raise_for_status().content


async def count(page: httpx2.AsyncClient) -> int:
    return int((await page.get("/health")).json()["messages"])


async def test_announces_what_bulk_senders_need(mailbox: Mailbox) -> None:
    async with Dialogue.open(mailbox.smtp_port, greet=False) as client:
        await client.hear()
        offers = (await client.ask("EHLO test")).splitlines()[1:]
    expected = {"PIPELINING", f"SIZE {MESSAGE_LIMIT}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"}
    assert {offer[4:] for offer in offers} == expected


async def test_the_next_envelope_rides_behind_the_dot(mailbox: Mailbox, page: httpx2.AsyncClient) -> None:
    async with Dialogue.open(mailbox.smtp_port) as client:
        client.say(ENVELOPE)
        assert await client.codes(3) == ["250", "250", "354"]
        client.say(mail("<1@x>") + b".\r\n" + ENVELOPE)
        assert await client.codes(4) == ["250", "250", "250", "354"]
        client.say(mail("<2@x>") + b".\r\nQUIT\r\n")
        assert await client.codes(2) == ["250", "221"]
        assert await client.over()
    assert await count(page) == 2


async def test_data_behind_refused_recipients_is_refused_and_the_next_mail_passes(
    mailbox: Mailbox, page: httpx2.AsyncClient
) -> None:
    async with Dialogue.open(mailbox.smtp_port) as client:
        client.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<nobody>\r\nRCPT TO:<>\r\nDATA\r\nRSET\r\n" + ENVELOPE)
        assert await client.codes(8) == ["250", "553", "553", "554", "250", "250", "250", "354"]
        client.say(mail() + b".\r\n")
        assert await client.hear() == "250 2.0.0 Kept as 1"
    assert await count(page) == 1


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("MAIL FROM:<a@b.example>", "503 5.5.1"),
        ("EHLO", "501 5.5.4"),
        ("EHLO x|RCPT TO:<a@b.example>", "503 5.5.1"),
        ("EHLO x|DATA", "503 5.5.1"),
        ("EHLO x|MAIL FROM:<a@b.example>|DATA", "503 5.5.1"),
        ("EHLO x|MAIL FROM:<a@b.example>|MAIL FROM:<a@b.example>", "503 5.5.1"),
        ("EHLO x|MAIL FROM:<a@b.example>|RCPT TO:<c@d.example>|DATA now", "501 5.5.4"),
        ("EHLO x|MAIL FROM:<a@b.example> SIZE=999999999", "552 5.3.4"),
        ("EHLO x|MAIL FROM:<a@b.example> SIZE=many", "501 5.5.4"),
        ("EHLO x|MAIL FROM:<a@b.example> SIZE=1 SIZE=2", "501 5.5.4"),
        ("EHLO x|MAIL FROM:<a@b.example> BODY=9BIT", "501 5.5.4"),
        ("EHLO x|MAIL FROM:<a@b.example> RET=HDRS", "555 5.5.4"),
        ("EHLO x|MAIL FROM:a@b.example", "501 5.5.4"),
        ("EHLO x|MAIL FROM:<a b@c.example>", "501 5.5.4"),
        ("EHLO x|MAIL FROM:<müller@c.example>", "553 5.6.7"),
        ("EHLO x|MAIL FROM:<a@b.example>|RCPT TO:<müller@c.example>", "553 5.6.7"),
        ("EHLO x|MAIL FROM:<a@b.example>|RCPT TO:<" + "x" * 400 + "@c.example>", "553 5.1.3"),
        ("EHLO x|MAIL FROM:<a@b.example>|RCPT TO:<c@d.example> NOTIFY=NEVER", "555 5.5.4"),
        ("EHLO x|MAIL FROM:<a@b.example> SMTPUTF8|RCPT TO:<müller@c.example>", "250 2.1.5"),
        ("EHLO x|MAIL FROM:<> SIZE=12 BODY=8BITMIME", "250 2.1.0"),
        ("HELO x|MAIL FROM:<a@b.example>|RSET|MAIL FROM:<a@b.example>", "250 2.1.0"),
        ("noop anything", "250 2.0.0"),
        ("VRFY ada", "252 2.5.0"),
        ("HELP", "214 2.0.0"),
        ("STARTTLS", "502 5.5.1"),
        ("AUTH PLAIN AGEAYg==", "502 5.5.1"),
        ("GET / HTTP/1.1", "500 5.5.2"),
        ("\x16\x03\x01\x02", "500 5.5.2"),
        ("QUIT", "221 2.0.0"),
    ],
)
async def test_answers_with_enhanced_codes(mailbox: Mailbox, said: str, expected: str) -> None:
    async with Dialogue.open(mailbox.smtp_port, greet=False) as client:
        await client.hear()
        answers = [await client.ask(line) for line in said.split("|")]
    assert answers[-1].startswith(expected)


@pytest.mark.parametrize("line", [b"NOOP\n", b"\xff\xfe\r\n", b"x" * 5_000 + b"\r\n", b"\x00\r\n"])
async def test_garbage_is_refused_and_then_forgotten(mailbox: Mailbox, line: bytes) -> None:
    async with Dialogue.open(mailbox.smtp_port) as client:
        client.say(line + b"NOOP\r\n")
        assert await client.codes(2) == ["500", "250"]


async def test_endless_nonsense_ends_the_conversation(mailbox: Mailbox) -> None:
    async with Dialogue.open(mailbox.smtp_port) as client:
        client.say(b"NONSENSE\r\n" * 30)
        assert await client.codes(21) == ["500"] * 20 + ["421"]
        assert await client.over()


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n\x00.\r\n"])
async def test_only_cr_lf_dot_cr_lf_ends_a_mail(mailbox: Mailbox, page: httpx2.AsyncClient, end: bytes) -> None:
    smuggled = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<ada@example.org>\r\nDATA\r\nSubject: evil\r\n"
    async with Dialogue.open(mailbox.smtp_port) as client:
        assert await client.send(mail(body="before") + end + smuggled + b"\r\n") == "250 2.0.0 Kept as 1"
    assert await count(page) == 1
    assert smuggled in await raw_of(page, 1)


async def test_dots_are_unstuffed_and_an_empty_body_is_a_mail(mailbox: Mailbox, page: httpx2.AsyncClient) -> None:
    async with Dialogue.open(mailbox.smtp_port) as client:
        await client.send(b"..leading\r\n...\r\na.b\r\n")
        await client.send(b"")
    assert await raw_of(page, 1) == b".leading\r\n..\r\na.b\r\n"
    assert await raw_of(page, 2) == b""


async def test_a_mail_over_the_limit_is_refused_and_the_next_one_kept(
    mailbox: Mailbox, page: httpx2.AsyncClient
) -> None:
    async with Dialogue.open(mailbox.smtp_port) as client:
        line = b"x" * 98 + b"\r\n"
        assert await client.send(line * (MESSAGE_LIMIT // 100 * 20)) == "552 5.3.4 This message is too large"
        assert await client.send(line * (MESSAGE_LIMIT // 100)) == "250 2.0.0 Kept as 1"
    assert len(await raw_of(page, 1)) == MESSAGE_LIMIT


async def test_a_silent_transaction_is_dropped_and_a_silent_session_is_not(mailbox: Mailbox) -> None:
    async with Dialogue.open(mailbox.smtp_port) as idle, Dialogue.open(mailbox.smtp_port) as client:
        assert await client.begin() == ["250", "250", "354"]
        client.say(mail())
        assert (await client.hear()).startswith("421 4.4.2")
        assert await client.over()
        assert (await idle.ask("NOOP")).startswith("250")


async def test_a_dot_that_waited_while_the_mailbox_slept_comes_too_late(
    mailbox: Mailbox, page: httpx2.AsyncClient
) -> None:
    async with Dialogue.open(mailbox.smtp_port) as client:
        assert await client.begin() == ["250", "250", "354"]
        client.say(mail() + b".\r\n")
        time.sleep(SILENCE * 2)  # noqa: ASYNC251 - the whole process stands still, as it does when it is stopped
        assert (await client.hear()).startswith("421 4.4.2")
    assert await count(page) == 0


async def test_many_clients_at_once_lose_nothing(mailbox: Mailbox, page: httpx2.AsyncClient) -> None:
    async def pour(sender: int) -> None:
        async with Dialogue.open(mailbox.smtp_port) as client:
            for number in range(20):
                assert (await client.send(mail(f"<{sender}.{number}@x>"))).startswith("250")

    await asyncio.gather(*(pour(sender) for sender in range(10)))
    assert await count(page) == 200


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b"")), max_size=8),
    cuts=st.lists(st.integers(min_value=1, max_value=7), min_size=1),
)
def test_framing_is_the_same_however_the_bytes_arrive(lines: list[bytes], cuts: list[int]) -> None:
    body = b"".join(line + b"\r\n" for line in lines)
    stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
    framing = Framing(10_000)
    framing.begin_body()
    wire, found = stuffed + b".\r\nNOOP\r\n", None
    while wire:
        size = cuts[len(wire) % len(cuts)]
        framing.feed(wire[:size])
        wire = wire[size:]
        found = framing.body() if found is None else found
    assert found == body
    assert framing.line() == b"NOOP"


def test_framing_never_holds_more_than_its_limits() -> None:
    framing = Framing(1_000)
    largest = 0
    for _ in range(500):
        framing.feed(b"x" * 1_000)
        assert framing.line() is None
        largest = max(largest, len(framing))
    framing.feed(b"\r\n")
    with pytest.raises(BadLine):
        framing.line()
    framing.begin_body()
    for _ in range(500):
        framing.feed(b"x" * 1_000)
        assert framing.body() is None
        largest = max(largest, len(framing))
    assert largest <= 4_000
