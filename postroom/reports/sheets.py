"""Recipients as CSV (RFC 4180), a piece at a time: a million lines take no more memory than a thousand."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from postroom.identity import DELIVERY, public_id
from postroom.reports.recipients import Filters, Recipient, Recipients, Window
from postroom.reports.tasks import Task

AT_ONCE = 1_000
SECONDS = 60  # for one piece: rare recipients are looked for through the whole audience
# Programs that show tables take such cells for formulas (OWASP, CSV injection); the apostrophe makes them words.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = (
    "seq", "user_id", "delivery_id", "state", "reason", "variant", "template_variant", "language", "domain", "sender",
    "attempts", "smtp_code", "enhanced_status", "not_before", "ended_at", "opened_at", "clicked_at", "machine_touches",
    "bounced_at", "bounce_status", "complained_at", "unsubscribed_at",
)  # fmt: skip


async def sheet(recipients: Recipients, tenant_id: UUID, task: Task, filters: Filters) -> AsyncIterator[str]:
    """Yield the header and then the recipients; each is there once, as it stood when its piece was read."""
    yield _lines([list(COLUMNS)])
    after = 0
    while piece := await recipients.some(tenant_id, task, filters, Window(after, AT_ONCE, SECONDS)):
        yield _lines([_cells(task, one) for one in piece])
        after = piece[-1].seq
        if len(piece) < AT_ONCE:
            return


def harmless(cell: object) -> str:
    """Spell a cell so that no program takes it for a formula."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat()
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text


def _cells(task: Task, one: Recipient) -> list[str]:
    return [
        harmless(cell)
        for cell in (
            one.seq, one.user_id, public_id(DELIVERY, one.id), one.state, one.reason, task.label(one.part),
            one.template_variant, one.language, one.domain, one.sender, one.attempt, one.code, one.enhanced,
            one.not_before, one.ended_at, one.opened_at, one.clicked_at, one.machine_touches, one.bounced_at,
            one.bounce_status, one.complained_at, one.unsubscribed_at,
        )
    ]  # fmt: skip


def _lines(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
