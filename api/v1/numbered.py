"""Lists whose rows have an id or a number: where a page starts, and the cursor for the next one."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from api.dependencies import Caller
from api.v1.parameters import Window

Row = TypeVar("Row")
Place = UUID | int


def after_id(caller: Caller, question: str, window: Window) -> tuple[UUID | None, int]:
    """Return the id after which rows are asked for, and how many: one more than are shown."""
    tenant_id, cursors = caller.identity.tenant_id, caller.services.cursors
    after = cursors.read(tenant_id, question, window.cursor)
    return after, window.limit + 1


def after_number(caller: Caller, question: str, window: Window) -> tuple[int | None, int]:
    """Return the same for rows that have a number."""
    after, count = after_id(caller, question, window)
    return after.int if after else None, count


def shown(
    caller: Caller, question: str, found: tuple[Sequence[Row], int], place: Callable[[Row], Place]
) -> tuple[Sequence[Row], str | None]:
    """Cut what was found to the limit; with more behind it, there is a cursor."""
    rows, limit = found
    if len(rows) <= limit:
        return rows, None
    last = place(rows[limit - 1])
    after = last if isinstance(last, UUID) else UUID(int=last)
    return rows[:limit], caller.services.cursors.write(caller.identity.tenant_id, question, after)
