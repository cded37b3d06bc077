"""What follows at once from a refusal: a mailbox that is not there is not tried again."""

from collections.abc import Sequence
from uuid import UUID

from postroom.database.engine import Connection
from postroom.identity import new_id
from postroom.suppressions import repository
from postroom.suppressions.entry import EVERYTHING, Reason, Source

# The reason stands for the same statuses that suppress when a bounce brings them (`UNKNOWN_MAILBOX`).
REFUSED = """
SELECT DISTINCT channel, address_hash FROM deliveries
WHERE id = ANY(%(ids)s) AND state = 'rejected' AND reason = 'mailbox_unknown' AND address_hash IS NOT NULL
ORDER BY channel, address_hash
"""


async def suppress_refused(connection: Connection, tenant_id: UUID, ids: Sequence[UUID]) -> int:
    """Suppress the addresses of these deliveries whose mailboxes are unknown; returns how many there are."""
    found = await (await connection.execute(REFUSED, {"ids": list(ids)})).fetchall()
    if found:
        await repository.add(
            connection,
            {
                "tenant_id": tenant_id,
                "source": str(Source.FEEDBACK),
                "ids": [new_id() for _ in found],
                "channels": [row["channel"] for row in found],
                "hashes": [row["address_hash"] for row in found],
                "scopes": [EVERYTHING for _ in found],
                "reasons": [str(Reason.BOUNCED) for _ in found],
                "notes": [None for _ in found],
            },
        )
    return len(found)
