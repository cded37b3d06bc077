"""Loads what travels with a message, right before it leaves."""

from uuid import UUID

from postroom.channels.base import Enclosure
from postroom.database.engine import Connection

ENCLOSURES = """
SELECT a.filename, a.content_type, a.content_id, b.content
FROM notification_attachments a JOIN blobs b ON b.tenant_id = a.tenant_id AND b.sha256 = a.sha256
WHERE a.notification_id = %(notification_id)s ORDER BY a.position
"""


async def enclosures_of(connection: Connection, notification_id: UUID) -> tuple[Enclosure, ...]:
    """Attachments and inline images of a notification, in the order they were given."""
    rows = await connection.execute(ENCLOSURES, {"notification_id": notification_id})
    return tuple([Enclosure(**row) async for row in rows])
