"""The fault sink itself: every misbehaviour happens as announced, and its log tells the truth whatever it said."""

import asyncio
import base64
import hashlib
import json
import ssl
import time
from pathlib import Path

import pytest

from tests.fixtures.sink import Accepted, Action, Auth, Authority, Behaviour, Offers, Sink, StartTls, Step
from tests.fixtures.sink.behaviour import GARBAGE
from tests.mailbox.dialogue import Dialogue, mail

SOON = 0.3
TOKEN = base64.b64encode(b"\0postroom\0correct horse").decode()


async def test_logs_one_line_before_it_says_250(tmp_path: Path) -> None:
    log = tmp_path / "accepted.jsonl"
    async with Sink.open(log=log) as sink, Dialogue.open(sink.port) as client:
        await client.send(mail("<one@x>"), to="ok@example.org")
        (line,) = log.read_text().splitlines()
        await client.send(mail("<one@x>") + b"..\r\n", to="ok+2@example.org")
        assert [letter.raw for letter in sink.letters] == [mail("<one@x>"), mail("<one@x>") + b".\r\n"]
        assert sink.copies() == {"<one@x>": 2}
    entry = Accepted(**json.loads(line))
    assert (entry.message_id, entry.to) == ("<one@x>", "ok@example.org")
    assert entry.sha256 == hashlib.sha256(mail("<one@x>")).hexdigest()
    async with Sink.open(log=log) as again:
        assert [known.to for known in again.accepted] == ["ok@example.org", "ok+2@example.org"]


async def test_pipelines_the_next_envelope_behind_the_dot(sink: Sink) -> None:
    envelope = b"MAIL FROM:<a@x>\r\nRCPT TO:<ok@x>\r\nDATA\r\n"
    async with Dialogue.open(sink.port) as client:
        client.say(envelope)
        assert await client.codes(3) == ["250", "250", "354"]
        client.say(mail("<1@x>") + b".\r\n" + envelope)
        assert await client.codes(4) == ["250", "250", "250", "354"]
        client.say(mail("<2@x>") + b".\r\nQUIT\r\n")
        assert await client.codes(2) == ["250", "221"]
    assert list(sink.copies()) == ["<1@x>", "<2@x>"]


@pytest.mark.parametrize(
    ("to", "codes", "dot"),
    [
        ("ok@x", ["250", "250", "354"], "250"),
        ("tempfail-rcpt@x", ["250", "450", "554"], None),
        ("permfail@x", ["250", "550", "554"], None),
        ("mailbox-full@x", ["250", "552", "554"], None),
        ("tempfail-data@x", ["250", "250", "451"], None),
        ("permfail-data@x", ["250", "250", "554"], None),
        ("tempfail-dot+9@x", ["250", "250", "354"], "451"),
        ("permfail-dot@x", ["250", "250", "354"], "554"),
        ("garbage-dot@x", ["250", "250", "354"], GARBAGE[:3].decode("latin-1")),
        ("refuse-354@x", ["250", "550", "354"], "554"),
    ],
)
async def test_refuses_by_the_recipients_name(sink: Sink, to: str, codes: list[str], dot: str | None) -> None:
    async with Dialogue.open(sink.port) as client:
        assert await client.begin(to) == codes
        if dot is not None:
            client.say(mail() + b".\r\n")
            said = await asyncio.wait_for(client.reader.readline(), 5)
            assert said.decode("latin-1").startswith(dot)
    assert len(sink.accepted) == (1 if dot == "250" else 0)


async def test_once_means_once_for_each_address(sink: Sink) -> None:
    async with Dialogue.open(sink.port) as client:
        for to in ("tempfail-dot-once+1@x", "tempfail-dot-once+2@x"):
            assert [(await client.send(mail(), to))[:3] for _ in range(3)] == ["451", "250", "250"]
        assert [(await client.send(mail(), "permfail-dot-2times@x"))[:3] for _ in range(3)] == ["554", "554", "250"]


@pytest.mark.parametrize(
    ("to", "accepted"),
    [
        ("drop-rcpt@x", 0),
        ("drop-data@x", 0),
        ("drop-body@x", 0),
        ("drop-dot@x", 0),
        ("accept-drop@x", 1),
        ("busy-rcpt@x", 0),
        ("busy-dot@x", 0),
    ],
)
async def test_leaves_in_the_middle(sink: Sink, to: str, accepted: int) -> None:
    async with Dialogue.open(sink.port) as client:
        client.say(f"MAIL FROM:<a@x>\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode() + mail() + b".\r\n")
        assert await client.over()
    assert len(sink.accepted) == accepted


@pytest.mark.parametrize(("to", "at_once"), [("late-250-0.3s@x", 1), ("hang-dot-0.3s@x", 0)])
async def test_answers_late_having_accepted_before_or_after(sink: Sink, to: str, at_once: int) -> None:
    async with Dialogue.open(sink.port) as client:
        assert await client.begin(to) == ["250", "250", "354"]
        begun = time.monotonic()
        client.say(mail() + b".\r\n")
        await asyncio.sleep(SOON / 3)
        assert len(sink.accepted) == at_once
        assert (await client.hear()).startswith("250")
    assert time.monotonic() - begun >= SOON * 0.9
    assert len(sink.accepted) == 1


async def test_a_client_that_left_while_the_dot_hung_was_not_served(sink: Sink) -> None:
    async with Dialogue.open(sink.port) as client:
        await client.begin("hang-dot-0.2s@x")
        client.say(mail() + b".\r\n")
    await asyncio.sleep(SOON)
    assert sink.accepted == []
    assert sink.present == 0


@pytest.mark.parametrize("step", ["ehlo", "mail", "rcpt", "data"])
async def test_hangs_at_a_step_and_goes_on(sink: Sink, step: str) -> None:
    async with Dialogue.open(sink.port, greet=False) as client:
        await client.hear()
        sink.behave("*", Behaviour.hang(step, SOON))
        begun = time.monotonic()
        client.say(b"EHLO x\r\n")
        await client.hear()
        assert await client.begin() == ["250", "250", "354"]
    assert SOON * 0.9 <= time.monotonic() - begun < SOON * 5


async def test_every_step_can_answer_421_and_be_normal_again(sink: Sink) -> None:
    for step in ("banner", "ehlo", "mail", "rcpt", "data"):
        sink.behave("*", Behaviour.refuse(step, "421 4.3.2 Closing"))
        async with Dialogue.open(sink.port, greet=False) as client:
            client.say(b"EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n")
            said = (await asyncio.wait_for(client.reader.read(), 5)).decode()
        assert said.splitlines()[-1] == "421 4.3.2 Closing"
        assert said.count("\n") == {"banner": 1, "ehlo": 2, "mail": 8, "rcpt": 9, "data": 10}[step]
    sink.behave("*")
    async with Dialogue.open(sink.port) as client:
        assert (await client.send(mail())).startswith("250")


async def test_behaviours_of_a_test_come_before_the_names(sink: Sink) -> None:
    sink.behave("tempfail-dot", Behaviour.refuse("dot", "554 5.7.1 Mine", times=1))
    sink.behave("tempfail-dot@y", Behaviour.refuse("dot", "550 5.1.1 Longer"))
    sink.behave("shop@", Behaviour.refuse("mail", "550 5.1.8 Not you", times=1))
    async with Dialogue.open(sink.port) as client:
        assert (await client.begin(sender="shop@x"))[0] == "550"
        assert await client.send(mail(), "tempfail-dot@y") == "550 5.1.1 Longer"
        assert await client.send(mail(), "tempfail-dot@x") == "554 5.7.1 Mine"
        assert (await client.send(mail(), "tempfail-dot@x")).startswith("451")


async def test_floods(sink: Sink) -> None:
    sink.behave("*", Behaviour.flood("ehlo", "250-X-MORE\r\n", 1_000_000))
    async with Dialogue.open(sink.port, greet=False) as client:
        await client.hear()
        assert len(await client.ask("EHLO x")) > 800_000
    sink.behave("*", Behaviour.flood("banner", "2"))
    async with Dialogue.open(sink.port, greet=False) as client:
        assert await client.reader.readexactly(5_000_000) == b"2" * 5_000_000


async def test_garbage_comes_at_any_step(sink: Sink) -> None:
    sink.behave("*", Behaviour(Step.MAIL, Action.GARBAGE, times=1))
    async with Dialogue.open(sink.port) as client:
        client.say(b"MAIL FROM:<a@x>\r\n")
        assert await client.reader.readexactly(len(GARBAGE)) == GARBAGE
        assert (await client.ask("NOOP")).startswith("250")


async def test_auth_is_asked_for_checked_and_written_down() -> None:
    async with Sink.open(Offers(auth=Auth.REQUIRED, pipelining=False)) as sink, Dialogue.open(sink.port) as client:
        assert "PIPELINING" not in await client.ask("EHLO x")
        assert (await client.begin())[0] == "530"
        wrong = base64.b64encode(b"\0postroom\0wrong").decode()
        assert (await client.ask(f"AUTH PLAIN {wrong}")).startswith("535")
        assert (await client.ask("AUTH PLAIN")).startswith("334")
        assert (await client.ask("?")).startswith("501")
        assert (await client.ask("AUTH LOGIN")).startswith("334")
        assert (await client.ask(base64.b64encode(b"postroom").decode())).startswith("334")
        assert (await client.ask(base64.b64encode(b"correct horse").decode())).startswith("235")
        assert (await client.send(mail())).startswith("250")
        assert sink.credentials == [("postroom", "wrong"), ("postroom", "correct horse")]


@pytest.mark.parametrize(("auth", "code"), [(Auth.WRONG, "535"), (Auth.LATER, "454")])
async def test_auth_fails_as_asked(auth: Auth, code: str) -> None:
    async with Sink.open(Offers(auth=auth)) as sink, Dialogue.open(sink.port) as client:
        assert (await client.ask(f"AUTH PLAIN {TOKEN}"))[:3] == code


async def test_starttls_forgets_what_came_before_and_then_takes_mail() -> None:
    authority = Authority.found()
    offers = Offers(start_tls=StartTls.OFFERED, auth=Auth.REQUIRED)
    async with Sink.open(offers, tls=authority.server_context()) as sink, Dialogue.open(sink.port) as client:
        assert (await client.ask(f"AUTH PLAIN {TOKEN}")).startswith("538")
        client.say(b"STARTTLS\r\nNOOP\r\n")
        assert (await client.hear()).startswith("220")
        await client.writer.start_tls(authority.client_context(), server_hostname="localhost")
        hello = await client.ask("EHLO x")
        assert ("STARTTLS" in hello, "AUTH PLAIN" in hello) == (False, True)
        assert (await client.ask(f"AUTH PLAIN {TOKEN}")).startswith("235")
        assert (await client.send(mail())).startswith("250")


@pytest.mark.parametrize(
    ("way", "first"),
    [(StartTls.REFUSED, b"454"), (StartTls.BROKEN, b"220"), (StartTls.NONE, b"502"), (StartTls.INJECTED, b"220")],
)
async def test_starttls_can_go_wrong(way: StartTls, first: bytes) -> None:
    async with Sink.open(Offers(start_tls=way)) as sink, Dialogue.open(sink.port) as client:
        assert ("STARTTLS" in await client.ask("EHLO x")) == (way is not StartTls.NONE)
        client.say(b"STARTTLS\r\n")
        said = await asyncio.wait_for(client.reader.read(1_000), 5)
        assert said.startswith(first)
        assert (b"\n250 AUTH PLAIN" in said) == (way is StartTls.INJECTED)
        if way is StartTls.BROKEN:
            assert (await client.ask("\x16\x03\x01")).startswith("500")


@pytest.mark.parametrize(("names", "expired"), [(("localhost",), True), (("other.example",), False)])
async def test_bad_certificates_are_bad(names: tuple[str, ...], *, expired: bool) -> None:
    authority = Authority.found()
    tls = authority.server_context(names, expired=expired)
    async with Sink.open(Offers(implicit_tls=True), tls=tls) as sink:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("localhost", sink.port, ssl=authority.client_context())
