"""Puts notifications that policy keeps for later into the digest of their person, type and channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from postroom.database.engine import Connection
from postroom.timing import Timing

PUT_OFF = """
UPDATE deliveries d SET state = 'pending', token = NULL, reason = 'digest', not_before = i.closes_at
FROM unnest(%(notifications)s::uuid[], %(channels)s::text[], %(closings)s::timestamptz[])
    AS i (notification_id, channel, closes_at)
WHERE d.notification_id = i.notification_id AND d.channel = i.channel AND d.state IN ('pending', 'claimed', 'deferred')
"""


@dataclass(frozen=True, slots=True)
class Collected:
    """A notification that waits for the digest of its person and type over one channel, and when that closes."""

    notification_id: UUID
    user_id: str
    notification_type: str
    channel: str
    closes_at: datetime


async def collect(connection: Connection, tenant_id: UUID, items: Sequence[Collected], timing: Timing) -> None:  # noqa: ARG001
    """Let these notifications wait in their digests; their deliveries are put off."""
    if items:
        columns = {
            "notifications": [item.notification_id for item in items],
            "channels": [item.channel for item in items],
            "closings": [item.closes_at for item in items],
        }
        await connection.execute(PUT_OFF, columns)
