"""The fault sink in the kill harness: standing still on request, giving evidence, and as a process of its own."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.fixtures.plain_http import plain_client
from tests.fixtures.sink import Behaviour, Sink, SinkProcess
from tests.mailbox.dialogue import Dialogue, mail

SOON = 0.3


@pytest.mark.parametrize(
    ("stop", "heard", "accepted"),
    [("mail", 0, 0), ("rcpt", 1, 0), ("data", 2, 0), ("354", 3, 0), ("dot", 3, 0), ("250", 3, 1)],
)
async def test_stands_still_at_a_barrier(sink: Sink, stop: str, heard: int, accepted: int) -> None:
    match = "shop@" if stop == "mail" else "held@"
    sink.hold(stop, match)
    async with Dialogue.open(sink.port) as other, Dialogue.open(sink.port) as client:
        assert (await other.send(mail("<other@x>")))[:3] == "250" if stop != "mail" else True
        client.say(b"MAIL FROM:<shop@x>\r\nRCPT TO:<held@x>\r\nDATA\r\n")
        if stop in {"354", "dot", "250"}:
            assert await client.codes(3) == ["250", "250", "354"]
            client.say(mail("<held@x>") + b".\r\n")
        assert (await sink.held(stop)).startswith(match)
        assert sink.copies()["<held@x>"] == accepted
        if stop not in {"354", "dot", "250"}:
            await client.codes(heard)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.read(1), 0.1)
        assert sink.release(stop) == 1
        rest = await client.codes(4 - heard) if heard == 3 else await client.codes(3 - heard)
        assert rest[-1] == ("250" if heard == 3 else "354")


async def test_a_client_killed_at_the_dot_was_not_served_and_at_the_250_it_was(sink: Sink) -> None:
    for stop, accepted in (("dot", 0), ("250", 1)):
        sink.hold(stop)
        async with Dialogue.open(sink.port) as client:
            await client.begin()
            client.say(mail(f"<{stop}@x>") + b".\r\n")
            await sink.held(stop)
        await asyncio.sleep(SOON / 3)
        assert sink.present == 0
        sink.release()
        await asyncio.sleep(SOON / 3)
        assert sink.copies()[f"<{stop}@x>"] == accepted


async def test_nobody_comes_to_a_barrier(sink: Sink) -> None:
    sink.hold("dot")
    with pytest.raises(TimeoutError):
        await sink.held("dot", 0.05)
    with pytest.raises(ValueError, match="none of"):
        sink.hold("nowhere")


async def test_speaks_for_itself_as_a_mailbox_does(sink: Sink) -> None:
    async with Dialogue.open(sink.port) as client, plain_client() as asker:
        await client.send(mail("<here@x>"))
        answer = await asker.post(f"{sink.evidence_url}/api/evidence", json={"message_ids": ["<here@x>", "<gone@x>"]})
    evidence = answer.json()
    assert evidence["found"]["<here@x>"]["copies"] == 1
    assert evidence["absent"] == ["<gone@x>"]
    assert set(evidence) == {"found", "absent", "silent_timeout_seconds"}


async def test_the_process_obeys_and_its_log_outlives_it(tmp_path: Path) -> None:
    log = tmp_path / "accepted.jsonl"
    async with SinkProcess.open(log, "--no-smtputf8") as sink, Dialogue.open(sink.port) as client:
        assert "SMTPUTF8" not in await client.ask("EHLO x")
        await sink.behave("late", Behaviour.refuse("rcpt", "450 4.2.1 Later", times=1))
        assert (await client.begin("late@x"))[1] == "450"
        await client.ask("RSET")
        await sink.hold("250", "held@")
        await client.begin("held@x")
        client.say(mail("<held@x>") + b".\r\n")
        assert await sink.held("250") == "held@x"
        assert await sink.copies() == {"<held@x>": 1}
        assert await sink.release("250") == 1
        assert (await client.hear()).startswith("250")
        await sink.hold("dot")
        with pytest.raises(TimeoutError):
            await sink.held("dot", 0.05)
        sink.process.kill()
        await sink.process.wait()
    assert json.loads(log.read_text())["message_id"] == "<held@x>"
