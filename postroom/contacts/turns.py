"""Whose turn it is with the contacts of a tenant: many who write from a list do so together, an erasure is alone.

Whoever erases a person waits for the pieces of imports and audiences that are being written, and finds what they wrote;
those that follow wait for the erasure, and find that the person is gone.
"""

from uuid import UUID

from postroom.database.engine import Connection

TOGETHER = "SELECT pg_advisory_xact_lock_shared(hashtextextended(%(name)s, 0))"
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))"


async def take_turn(connection: Connection, tenant_id: UUID, *, alone: bool = False) -> None:
    """Wait for one's turn with the contacts of a tenant, and keep it until the transaction ends."""
    await connection.execute(ALONE if alone else TOGETHER, {"name": f"contacts {tenant_id}"})
