"""Requests that make something and come again under their idempotency key: what was made is found, not made again."""

from uuid import UUID

from postroom.database.engine import Connection
from postroom.errors import Conflict, Invalid
from postroom.notifications.request import IdempotencyKey

TAKE = """
INSERT INTO idempotency_keys (tenant_id, key, request_hash, notification_id)
VALUES (%(tenant_id)s, %(key)s, %(hash)s, %(id)s) ON CONFLICT DO NOTHING
"""
FIND = """
SELECT request_hash, notification_id FROM idempotency_keys WHERE tenant_id = %(tenant_id)s AND key = %(key)s
"""


async def made_before(connection: Connection, tenant_id: UUID, key: IdempotencyKey | None, made: UUID) -> UUID | None:
    """Take a key for what is about to be made, or return what was made under it; the key's row lock orders requests.

    Raises:
        Invalid: the key named another request.
    """
    if key is None:
        return None
    named = {"tenant_id": tenant_id, "key": key.text, "hash": key.request_hash, "id": made}
    if (await connection.execute(TAKE, named)).rowcount == 1:
        return None
    earlier = await (await connection.execute(FIND, named)).fetchone()
    if earlier is None:
        raise Conflict("The first request under this key is not finished.", code="idempotency_in_progress")
    if bytes(earlier["request_hash"]) != key.request_hash or earlier["notification_id"] is None:
        raise Invalid("This Idempotency-Key was used for another request.", code="idempotency_key_reused")
    found: UUID = earlier["notification_id"]
    return found
