"""What the mailbox swears to when somebody asks for messages they lost sight of."""

from typing import Any

import httpx2
import pytest

from postroom.mailbox.fences import Fences
from postroom.mailbox.process import Mailbox
from tests.mailbox.conftest import SILENCE
from tests.mailbox.dialogue import Dialogue, mail


async def ask(page: httpx2.AsyncClient, *message_ids: str) -> dict[str, Any]:
    answer = await page.post("/api/evidence", json={"message_ids": list(message_ids)})
    evidence: dict[str, Any] = answer.raise_for_status().json()
    return evidence


async def test_names_what_was_accepted_how_often_and_what_was_not(mailbox: Mailbox, page: httpx2.AsyncClient) -> None:
    async with Dialogue.open(mailbox.smtp_port) as client:
        await client.send(mail("<here@x>"))
        await client.send(mail("<twice@x>"))
        await client.send(mail("<twice@x>"))
    evidence = await ask(page, "<here@x>", "<twice@x>", "<gone@x>", "<gone@x>", "here@x")
    assert {known: proof["copies"] for known, proof in evidence["found"].items()} == {"<here@x>": 1, "<twice@x>": 2}
    assert evidence["absent"] == ["<gone@x>", "here@x"]
    assert evidence["silent_timeout_seconds"] == SILENCE


async def test_a_folded_message_id_is_the_same_message(mailbox: Mailbox, page: httpx2.AsyncClient) -> None:
    async with Dialogue.open(mailbox.smtp_port) as client:
        await client.send(b"message-id:\r\n <folded@x>\r\n\r\nHello\r\n")
    assert list((await ask(page, "<folded@x>"))["found"]) == ["<folded@x>"]


async def test_absent_is_final_for_transactions_that_were_open(mailbox: Mailbox, page: httpx2.AsyncClient) -> None:
    async with Dialogue.open(mailbox.smtp_port) as stopped, Dialogue.open(mailbox.smtp_port) as second:
        assert await stopped.begin() == ["250", "250", "354"]
        assert (await ask(page, "<late@x>"))["absent"] == ["<late@x>"]
        assert (await second.send(mail("<late@x>"))).startswith("250")
        stopped.say(mail("<late@x>") + b".\r\n")
        assert (await stopped.hear()).startswith("451 4.3.0")
        assert (await stopped.send(mail("<other@x>"))).startswith("250")
    assert (await ask(page, "<late@x>"))["found"]["<late@x>"]["copies"] == 1


async def test_a_transaction_in_its_envelope_is_fenced_off_too(mailbox: Mailbox, page: httpx2.AsyncClient) -> None:
    async with Dialogue.open(mailbox.smtp_port) as stopped:
        await stopped.ask("MAIL FROM:<shop@example.org>")
        await stopped.ask("RCPT TO:<ada@example.org>")
        await ask(page, "<late@x>")
        assert (await stopped.ask("DATA")).startswith("354")
        stopped.say(mail("<late@x>") + b".\r\n")
        assert (await stopped.hear()).startswith("451 4.3.0")


async def test_clearing_the_list_leaves_the_truth(mailbox: Mailbox, page: httpx2.AsyncClient) -> None:
    async with Dialogue.open(mailbox.smtp_port) as client:
        await client.send(mail("<here@x>"))
        assert (await page.delete("/api/messages")).json() == {"cleared": 1}
        assert (await page.get("/api/messages")).json()["messages"] == []
        assert (await page.get("/api/messages/1")).status_code == 404
        assert (await ask(page, "<here@x>"))["found"]["<here@x>"]["copies"] == 1
        await client.send(mail("<here@x>"))
    (shown,) = (await page.get("/api/messages")).json()["messages"]
    assert shown["copies"] == 2
    assert (await page.get("/api/messages/1/raw")).content == mail("<here@x>")


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b'{"message_ids": []}', "text/plain", 415),
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b'{"message_ids": "<a@b>"}', "application/json", 422),
        (b'{"message_ids": [1]}', "application/json", 422),
        (b'{"message_ids": [], "more": 1}', "application/json", 422),
        (b'{"message_ids": ["\\ud800"]}', "application/json", 422),
        (b'{"message_ids": ["' + b"x" * 1_000 + b'"]}', "application/json", 422),
        (b'{"message_ids": [' + b'"a",' * 1_000 + b'"a"]}', "application/json", 422),
        (b'{"message_ids": ["' + b"x" * 3_000_000 + b'"]}', "application/json", 422),
        (b'{"message_ids": []}', "application/json; charset=utf-8", 200),
    ],
)
async def test_questions_are_checked(page: httpx2.AsyncClient, content: bytes, content_type: str, status: int) -> None:
    answer = await page.post("/api/evidence", content=content, headers={"Content-Type": content_type})
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] in {"invalid_request", "unsupported_media_type"}


def test_fences_forget_what_no_open_transaction_can_bring() -> None:
    fences = Fences()
    fences.declare(["<a@x>"], oldest_open=None)
    assert not fences.refuse("<a@x>", fences.now)
    begun = fences.now
    fences.declare(["<a@x>"], oldest_open=begun)
    assert fences.refuse("<a@x>", begun)
    assert not fences.refuse("<a@x>", fences.now)
    fences.declare(["<b@x>"], oldest_open=fences.now)
    assert not fences.refuse("<a@x>", begun)
    fences.lift(["<b@x>"])
    assert not fences.refuse("<b@x>", begun)
