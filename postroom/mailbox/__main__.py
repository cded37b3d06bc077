"""Starts the mailbox as a process of its own: `python -m postroom.mailbox`."""

import asyncio
import logging
import sqlite3
import sys

from pydantic import ValidationError

from postroom.mailbox.process import CannotStart, run
from postroom.mailbox.serving import PortTaken
from postroom.mailbox.settings import MailboxSettings
from postroom.observability import set_up_logs

_log = logging.getLogger("postroom.mailbox")


def main() -> int:
    """Run until told to stop; returns 0 after a clean stop, 1 when it could not start, 2 when it was told nonsense."""
    try:
        settings = MailboxSettings()
    except ValidationError as error:
        wrong = "; ".join(f"POSTROOM_MAILBOX_{str(part['loc'][0]).upper()}: {part['msg']}" for part in error.errors())
        sys.stderr.write(f"The mailbox cannot start. {wrong}\n")
        return 2
    set_up_logs("mailbox", settings.log_format)
    try:
        asyncio.run(run(settings))
    except (CannotStart, PortTaken) as reason:
        _log.error("The mailbox cannot start. %s", reason)
        return 1
    except sqlite3.Error as error:
        _log.error("The journal in %s cannot be used: %s", settings.data_dir, error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
