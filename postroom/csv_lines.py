"""Lines of CSV (RFC 4180), spelt so that no spreadsheet computes what stands in a cell, and read back as it stood."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

# OWASP, "CSV Injection": what a cell must not begin with, wide letters among it. An apostrophe before it says that it
# is text; one that stands there already gets another, so that both are told apart.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    """Write rows; None is an empty cell, and a time is spelt as RFC 3339 has it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([[shielded(_spelled(cell)) for cell in row] for row in rows])
    return text.getvalue()


def shielded(text: str) -> str:
    """Spell a cell so that no spreadsheet computes it."""
    return f"'{text}" if _FORMULA.match(text) else text


def unshielded(text: str) -> str:
    """Take back what `shielded` did."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text


def _spelled(cell: object) -> str:
    if cell is None:
        return ""
    return cell.isoformat() if isinstance(cell, datetime) else str(cell)
