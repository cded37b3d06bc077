"""The composition root of the mailbox: settings into a journal, an SMTP server and a page, until a signal."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from postroom.mailbox.app import create_app
from postroom.mailbox.desk import Desk
from postroom.mailbox.journal import open_journal
from postroom.mailbox.reception import Reception, Terms, open_reception
from postroom.mailbox.serving import bound, served
from postroom.mailbox.settings import MailboxSettings

JOURNAL_FILE = "journal.sqlite"
HOST_NAME = "mailbox.postroom.localhost"
# The journal's thread gives the interpreter up at every statement and must not wait 5 ms to get it back:
# 4,100 mails/s instead of 2,400 with sixteen pipelining connections.
SWITCH_SECONDS = 0.0001

_log = logging.getLogger(__name__)


class CannotStart(Exception):
    """A part of the surroundings is missing; the text says which."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A running mailbox and the ports it took."""

    smtp_port: int
    http_port: int
    reception: Reception


@asynccontextmanager
async def open_mailbox(settings: MailboxSettings) -> AsyncIterator[Mailbox]:
    """Run a mailbox in this event loop until left; everything accepted by then is on disk.

    Raises:
        PortTaken: a port is in use.
        CannotStart: the folder cannot be written.
    """
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CannotStart(f"The folder {settings.data_dir} cannot be made: {error.strerror}.") from error
    with (
        bound(settings.smtp_host, settings.smtp_port) as smtp,
        bound(settings.http_host, settings.http_port) as http,
    ):
        terms = Terms(HOST_NAME, settings.silent_timeout, settings.message_limit_bytes)
        async with (
            open_journal(settings.data_dir / JOURNAL_FILE, settings.keep_bytes) as journal,
            open_reception(journal, terms, smtp) as reception,
        ):
            smtp_port, http_port = smtp.getsockname()[1], http.getsockname()[1]
            app = create_app(Desk(journal, reception, smtp_port), settings.allowed_hosts)
            async with served(app, http):
                yield Mailbox(smtp_port, http_port, reception)


async def run(settings: MailboxSettings) -> None:
    """Run until SIGTERM or SIGINT."""
    sys.setswitchinterval(SWITCH_SECONDS)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_mailbox(settings) as mailbox:
        page = f"http://{settings.http_host}:{mailbox.http_port}"
        _log.info("Ready: mail to smtp://%s:%d, read it at %s", settings.smtp_host, mailbox.smtp_port, page)
        await stop.wait()
        _log.info("Closing")
    _log.info("Closed; everything accepted is in %s", settings.data_dir / JOURNAL_FILE)
