"""The mailbox's log lines: one readable sentence each, or one JSON object."""

import json
import logging
import sys
from datetime import UTC, datetime

from postroom.mailbox.headers import printable

NAME = "postroom.mailbox"


class Sentence(logging.Formatter):
    """`10:41:02 mailbox  Your order for ada@example.org, 1432 bytes`; nothing in a mail can start a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        clock = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{clock} mailbox  {level}{printable(record.getMessage())}{trace}"


class Line(logging.Formatter):
    """The same as JSON, for collectors."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "part": "mailbox",
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def set_up_logs(log_format: str) -> None:
    """Send this process's log to standard output; called once, by the process's entry."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Line() if log_format == "json" else Sentence())
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger(NAME).setLevel(logging.INFO)
