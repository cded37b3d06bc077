"""Statements of the pages about the tenant, and about an address nobody has a name for."""

from collections.abc import Sequence
from uuid import UUID

from postroom.database.engine import Connection
from postroom.person_pages.links import Bearer
from postroom.suppressions.entry import Reason, Source

REASON = Reason.UNSUBSCRIBED

TENANT = "SELECT name FROM tenants WHERE id = %(tenant_id)s"
SUPPRESS = f"""
INSERT INTO suppressions (tenant_id, channel, address_hash, reason, scope, source)
VALUES (%(tenant_id)s, %(channel)s, %(address_hash)s, %(reason)s, %(scope)s, '{Source.PERSON}') ON CONFLICT DO NOTHING
"""
ALLOW = """
DELETE FROM suppressions WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s
    AND address_hash = %(address_hash)s AND scope = %(scope)s AND reason = %(reason)s
"""
SCOPES = """
SELECT scope FROM suppressions WHERE tenant_id = %(tenant_id)s AND channel = %(channel)s
    AND address_hash = %(address_hash)s
"""
# Once for each message, however often it is said, and whatever is taken back later.
NOTE = """
INSERT INTO delivery_feedback (tenant_id, delivery_id, task_id, kind, source)
SELECT tenant_id, id, task_id, 'unsubscribed', 'link' FROM deliveries
WHERE id = %(delivery_id)s AND tenant_id = %(tenant_id)s AND attempt > 0
ON CONFLICT DO NOTHING
"""


async def tenant_name(connection: Connection, tenant_id: UUID) -> str | None:
    """Return what a tenant is called; None when it is gone."""
    row = await (await connection.execute(TENANT, {"tenant_id": tenant_id})).fetchone()
    return row["name"] if row else None


async def suppress(connection: Connection, bearer: Bearer, scope: str) -> None:
    """Send nothing of this scope to the address any more."""
    await connection.execute(SUPPRESS, _named(bearer) | {"scope": scope, "reason": REASON})


async def allow(connection: Connection, bearer: Bearer, scope: str) -> None:
    """Take back what the recipient did; what others put on the list stays."""
    await connection.execute(ALLOW, _named(bearer) | {"scope": scope, "reason": REASON})


async def scopes_of(connection: Connection, bearer: Bearer) -> Sequence[str]:
    """Return what is not sent to the address."""
    return [row["scope"] async for row in await connection.execute(SCOPES, _named(bearer))]


async def note_unsubscribed(connection: Connection, bearer: Bearer) -> None:
    """Have the report of the task say it, where the link stood in one of its messages."""
    if bearer.delivery_id is not None:
        named = {"tenant_id": bearer.tenant_id, "delivery_id": bearer.delivery_id}
        await connection.execute(NOTE, named)


def _named(bearer: Bearer) -> dict[str, object]:
    return {"tenant_id": bearer.tenant_id, "channel": bearer.channel, "address_hash": bearer.address_hash}
