"""A running mailbox for each test, with its page, or a sink."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from postroom.mailbox.process import Mailbox, open_mailbox
from postroom.mailbox.settings import MailboxSettings
from tests.fixtures.plain_http import plain_client
from tests.fixtures.sink import Sink

SILENCE = 0.4
MESSAGE_LIMIT = 200_000


@pytest.fixture
def settings(tmp_path: Path) -> MailboxSettings:
    """A mailbox on free ports that is quickly tired of silence."""
    return MailboxSettings(
        smtp_port=0, http_port=0, data_dir=tmp_path / "mail", silent_timeout=SILENCE, message_limit_bytes=MESSAGE_LIMIT
    )


@pytest.fixture
async def mailbox(settings: MailboxSettings) -> AsyncIterator[Mailbox]:
    """The mailbox, in this process."""
    async with open_mailbox(settings) as running:
        yield running


@pytest.fixture
async def page(mailbox: Mailbox) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser at its page."""
    async with plain_client(base_url=f"http://127.0.0.1:{mailbox.http_port}") as client:
        yield client


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A fault sink that behaves, until told otherwise."""
    async with Sink.open() as running:
        yield running
