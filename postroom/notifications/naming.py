"""Requests that make something in a session and come again under their key: what was made is found, not made again."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.errors import Conflict, Invalid
from postroom.notifications.request import IdempotencyKey

TAKE = text(
    "INSERT INTO idempotency_keys (tenant_id, key, request_hash, notification_id) "
    "VALUES (:tenant_id, :key, :hash, :id) ON CONFLICT DO NOTHING RETURNING notification_id"
)
FIND = text("SELECT request_hash, notification_id FROM idempotency_keys WHERE tenant_id = :tenant_id AND key = :key")


async def made_before(session: AsyncSession, tenant_id: UUID, key: IdempotencyKey | None, made: UUID) -> UUID | None:
    """Take a key for what is about to be made, or return what was made under it; the key's row lock orders requests.

    Raises:
        Invalid: the key named another request.
    """
    if key is None:
        return None
    named = {"tenant_id": tenant_id, "key": key.text}
    if (await session.scalars(TAKE, named | {"hash": key.request_hash, "id": made})).one_or_none() is not None:
        return None
    earlier = (await session.execute(FIND, named)).one_or_none()
    if earlier is None:
        raise Conflict("The first request under this key is not finished.", code="idempotency_in_progress")
    if bytes(earlier.request_hash) != key.request_hash:
        raise Invalid("This Idempotency-Key was used for another request.", code="idempotency_key_reused")
    return UUID(str(earlier.notification_id))
