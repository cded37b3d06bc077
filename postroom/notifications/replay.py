"""Idempotency: a request that comes again under its key gets the answer it got before; the sweeper forgets keys."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection, Database
from postroom.errors import Conflict, Invalid
from postroom.notifications.request import IdempotencyKey

KEY_LENGTH = 255

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))

FIND = """
SELECT request_hash, coalesce(notification_id, job_id) AS made, created_at FROM idempotency_keys
WHERE tenant_id = %s AND key = %s
"""

TAKE = """
INSERT INTO idempotency_keys (tenant_id, key, request_hash, notification_id, job_id)
VALUES (%(tenant_id)s, %(key)s, %(hash)s, %(notification_id)s, %(job_id)s) ON CONFLICT DO NOTHING
"""
NOTHING_MADE: Mapping[str, UUID | None] = {"notification_id": None, "job_id": None}


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was accepted under the same key: equal requests made the same kind of thing."""

    id: UUID
    accepted_at: datetime


def idempotency_key(text: str, body: Any) -> IdempotencyKey:  # noqa: ANN401 - any JSON value
    """Name a request: the hash is of its meaning, so blanks and the order of members do not matter."""
    if not (0 < len(text) <= KEY_LENGTH and text.isprintable()):
        raise Invalid(f"An Idempotency-Key has 1 to {KEY_LENGTH} printable characters.", code="invalid_idempotency_key")
    return IdempotencyKey(text, hashlib.sha256(_CANONICAL.encode(body).encode()).digest())


async def earlier_answer(database: Database, tenant_id: UUID, key: IdempotencyKey | None) -> Earlier | None:
    """Return what a tenant's key named before.

    Raises:
        Invalid: the key named another request.
    """
    if key is None:
        return None
    async with database.tenant_transaction(tenant_id) as connection:
        return await _found(connection, tenant_id, key)


async def named_before(
    connection: Connection, tenant_id: UUID, key: IdempotencyKey | None, made: Mapping[str, UUID]
) -> Earlier | None:
    """Take a key for what this transaction makes, or return what was made under it before.

    `made` is what `take_key` takes.

    Raises:
        Invalid: the key named another request.
        Conflict: the first request under the key is not finished.
    """
    if key is None:
        return None
    if await take_key(connection, tenant_id, key, made):
        return None
    if earlier := await _found(connection, tenant_id, key):
        return earlier
    raise Conflict("The first request under this key is not finished.", code="idempotency_in_progress")


async def take_key(connection: Connection, tenant_id: UUID, key: IdempotencyKey, made: Mapping[str, UUID]) -> bool:
    """Take a key for what this transaction makes; False when another request took it before.

    `made` is a `notification_id` or a `job_id`. A key that another transaction is taking right now is waited for.
    """
    taking = {"tenant_id": tenant_id, "key": key.text, "hash": key.request_hash, **NOTHING_MADE, **made}
    return (await connection.execute(TAKE, taking)).rowcount == 1


async def _found(connection: Connection, tenant_id: UUID, key: IdempotencyKey) -> Earlier | None:
    row = await (await connection.execute(FIND, (tenant_id, key.text))).fetchone()
    if row is None:
        return None
    if row["request_hash"] != key.request_hash:
        raise Invalid("This Idempotency-Key was used for another request.", code="idempotency_key_reused")
    return Earlier(row["made"], row["created_at"])
