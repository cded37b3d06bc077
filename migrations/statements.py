"""Reads a migration's statements from the SQL file beside it."""

from collections.abc import Iterator
from pathlib import Path

PATIENCE = "SET LOCAL lock_timeout = '5s'"  # whoever waits for a lock longer than this holds up everybody behind it
BETWEEN = "\n-- ;;\n"


def statements(migration: str) -> Iterator[str]:
    """Yield what `migration`, a module's `__file__`, is to execute, in order; blocks stand between lines of `-- ;;`."""
    yield PATIENCE
    yield from Path(migration).with_suffix(".sql").read_text(encoding="utf-8").split(BETWEEN)
