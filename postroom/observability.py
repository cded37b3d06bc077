"""How the processes speak: one readable line per event, or one JSON object per line."""

import json
import logging
import sys
import time
from datetime import UTC, datetime

QUIET = ("temporalio", "aiosmtplib", "httpx2", "httpcore2", "psycopg", "sqlalchemy", "mail.log", "asyncio")


class Sentence(logging.Formatter):
    """`10:41:02 worker  draining: no new work is taken`; a line break in a text cannot start a line of its own."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part
        self._second = 0
        self._clock = ""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the trace of an error below it."""
        clock = self._time(int(record.created))
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{clock} {self._part}  {level}{_one_line(record.getMessage())}{trace}"

    def _time(self, second: int) -> str:
        """Spell the time of day once a second, however many lines that second has."""
        if second != self._second:
            self._second, self._clock = second, time.strftime("%H:%M:%S", time.localtime(second))
        return self._clock


class Line(logging.Formatter):
    """The same as JSON, for collectors."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "part": self._part,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def set_up_logs(part: str, log_format: str) -> None:
    """Send this process's log to standard output; called once, by a composition root."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Line(part) if log_format == "json" else Sentence(part))
    # Who wrote a line in which thread of which process: nobody here asks, and looking it up costs as much as the line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # The pool tries again by itself and tells every attempt; whoever needed a connection says so once.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else " " for sign in text)
