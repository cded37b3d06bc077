"""The mailbox as a process: its 250 outlives kill -9, and it starts and stops with clear words."""

import asyncio
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from postroom.mailbox.process import JOURNAL_FILE, open_mailbox
from postroom.mailbox.serving import bound
from postroom.mailbox.settings import MailboxSettings
from tests.fixtures.plain_http import plain_client
from tests.mailbox.dialogue import Dialogue, mail

_READY = re.compile(r"smtp://[^:]+:(\d+), read it at (http://\S+)")


@dataclass
class Started:
    process: asyncio.subprocess.Process
    smtp_port: int
    url: str

    async def found(self, *message_ids: str) -> dict[str, int]:
        async with plain_client() as client:
            answer = await client.post(f"{self.url}/api/evidence", json={"message_ids": list(message_ids)})
        found = answer.raise_for_status().json()["found"]
        return {message_id: proof["copies"] for message_id, proof in found.items()}


def environment(folder: Path, **more: str) -> dict[str, str]:
    ports = {"POSTROOM_MAILBOX_SMTP_PORT": "0", "POSTROOM_MAILBOX_HTTP_PORT": "0"}
    return os.environ | ports | {"POSTROOM_MAILBOX_DATA_DIR": str(folder)} | more


async def start(surroundings: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "postroom.mailbox",
        env=surroundings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Started]:
    process = await start(environment(folder))
    assert process.stdout is not None
    try:
        ready = _READY.search((await process.stdout.readline()).decode())
        assert ready is not None
        yield Started(process, int(ready[1]), ready[2])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_what_was_answered_with_250_survives_kill_9(tmp_path: Path) -> None:
    async with started(tmp_path) as first, Dialogue.open(first.smtp_port) as client:
        assert (await client.send(mail("<one@x>", subject="Kept"))).startswith("250")
        first.process.kill()
        await first.process.wait()
    async with started(tmp_path) as second, plain_client() as page:
        assert await second.found("<one@x>") == {"<one@x>": 1}
        assert (await page.get(f"{second.url}/api/messages/1/raw")).content == mail("<one@x>", subject="Kept")


async def test_every_250_before_a_kill_in_the_rush_is_in_the_journal(tmp_path: Path) -> None:
    answered: list[str] = []
    rushing = asyncio.Event()

    async def pour(port: int, sender: int) -> None:
        async with Dialogue.open(port) as client:
            for number in range(10_000):
                message_id = f"<{sender}.{number}@x>"
                if not (await client.send(mail(message_id))).startswith("250"):
                    return
                answered.append(message_id)
                if len(answered) >= 60:
                    rushing.set()

    async with started(tmp_path) as first:
        senders = [asyncio.create_task(pour(first.smtp_port, sender)) for sender in range(4)]
        await asyncio.wait_for(rushing.wait(), 20)
        first.process.kill()
        await asyncio.gather(*senders, return_exceptions=True)
    async with started(tmp_path) as second:
        found: dict[str, int] = {}
        for begin in range(0, len(answered), 1_000):
            found |= await second.found(*answered[begin : begin + 1_000])
    assert set(answered) == set(found)
    assert set(found.values()) == {1}


async def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    async with started(tmp_path) as mailbox, Dialogue.open(mailbox.smtp_port) as client:
        assert await client.begin() == ["250", "250", "354"]
        mailbox.process.send_signal(signal.SIGTERM)
        assert (await client.hear()).startswith("421 4.3.2")
        output, _ = await asyncio.wait_for(mailbox.process.communicate(), 10)
    assert mailbox.process.returncode == 0
    assert output.decode().splitlines()[-1].endswith(f"Closed; everything accepted is in {tmp_path / JOURNAL_FILE}")


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"POSTROOM_MAILBOX_SMTP_PORT": "TAKEN"}, 1, "cannot be used: Address already in use"),
        ({"POSTROOM_MAILBOX_SMTP_PORT": "many"}, 2, "POSTROOM_MAILBOX_SMTP_PORT: "),
        ({"POSTROOM_MAILBOX_DATA_DIR": "/dev/null/mail"}, 1, "The folder /dev/null/mail cannot be made"),
    ],
)
async def test_says_why_it_cannot_start(tmp_path: Path, more: dict[str, str], code: int, words: str) -> None:
    with bound("127.0.0.1", 0) as listener:
        taken = {name: value.replace("TAKEN", str(listener.getsockname()[1])) for name, value in more.items()}
        process = await start(environment(tmp_path, **taken))
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == code
    assert words in output.decode()
    assert len(output.decode().splitlines()) == 1


async def test_a_hostile_subject_cannot_forge_a_log_line(tmp_path: Path) -> None:
    async with started(tmp_path) as mailbox, Dialogue.open(mailbox.smtp_port) as client:
        await client.send(mail(subject="=?utf-8?q?one=0A10:00:00_mailbox__forged=1B[31m?="))
        mailbox.process.terminate()
        output, _ = await asyncio.wait_for(mailbox.process.communicate(), 10)
    lines = [line for line in output.decode().splitlines() if "forged" in line]
    assert len(lines) == 1
    assert "one\ufffd10:00:00" in lines[0]
    assert "\x1b" not in lines[0]


async def test_a_letter_that_cannot_be_written_is_refused_for_now(settings: MailboxSettings) -> None:
    async with open_mailbox(settings) as mailbox, Dialogue.open(mailbox.smtp_port) as client:
        with closing(sqlite3.connect(settings.data_dir / JOURNAL_FILE)) as journal:
            journal.execute(
                "CREATE TRIGGER full BEFORE INSERT ON copies BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
            )
            assert (await client.send(mail("<one@x>"))).startswith("452 4.3.1")
            assert await mailbox.reception.evidence(["<one@x>"]) == {}
            journal.execute("DROP TRIGGER full")
        assert (await client.send(mail("<one@x>"))).startswith("250")
        assert (await mailbox.reception.evidence(["<one@x>"]))["<one@x>"].copies == 1


async def test_old_texts_make_room_and_their_receipts_stay(settings: MailboxSettings) -> None:
    small = settings.model_copy(update={"keep_bytes": 10_000})
    async with open_mailbox(small) as mailbox, Dialogue.open(mailbox.smtp_port) as client:
        for number in range(30):
            await client.send(mail(f"<{number}@x>", "x" * 900))
        evidence = await mailbox.reception.evidence([f"<{number}@x>" for number in range(30)])
        async with plain_client(base_url=f"http://127.0.0.1:{mailbox.http_port}") as page:
            codes = [(await page.get(f"/api/messages/{ident}/raw")).status_code for ident in range(1, 31)]
            gone = await page.get("/messages/1")
    assert len(evidence) == 30
    assert codes[0] == 410
    assert codes[-1] == 200
    assert codes == sorted(codes, reverse=True)
    assert "let go to save room" in gone.text
