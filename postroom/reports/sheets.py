"""Recipients as CSV (RFC 4180), a piece at a time: a million lines take no more memory than a thousand."""

from collections.abc import AsyncIterator
from uuid import UUID

from postroom.csv_lines import csv_lines
from postroom.identity import DELIVERY, public_id
from postroom.reports.recipients import Filters, Recipient, Recipients, Window
from postroom.reports.tasks import Task

AT_ONCE = 1_000
SECONDS = 60  # for one piece: rare recipients are looked for through the whole audience
COLUMNS = (
    "seq", "user_id", "delivery_id", "state", "reason", "variant", "template_variant", "language", "domain", "sender",
    "attempts", "smtp_code", "enhanced_status", "not_before", "ended_at", "opened_at", "clicked_at", "machine_touches",
    "bounced_at", "bounce_status", "complained_at", "unsubscribed_at",
)  # fmt: skip


async def sheet(recipients: Recipients, tenant_id: UUID, task: Task, filters: Filters) -> AsyncIterator[str]:
    """Yield the header and then the recipients; each is there once, as it stood when its piece was read."""
    yield csv_lines([COLUMNS])
    after = 0
    while piece := await recipients.some(tenant_id, task, filters, Window(after, AT_ONCE, SECONDS)):
        yield csv_lines([_cells(task, one) for one in piece])
        after = piece[-1].seq
        if len(piece) < AT_ONCE:
            return


def _cells(task: Task, one: Recipient) -> tuple[object, ...]:
    return (
        one.seq, one.user_id, public_id(DELIVERY, one.id), one.state, one.reason, task.label(one.part),
        one.template_variant, one.language, one.domain, one.sender, one.attempt, one.code, one.enhanced,
        one.not_before, one.ended_at, one.opened_at, one.clicked_at, one.machine_touches, one.bounced_at,
        one.bounce_status, one.complained_at, one.unsubscribed_at,
    )  # fmt: skip
