"""Idempotency: a request that comes again under its key gets the answer it got before; the sweeper forgets keys."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from postroom.database.engine import Database
from postroom.errors import Invalid
from postroom.notifications.request import IdempotencyKey

KEY_LENGTH = 255

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))

FIND = """
SELECT request_hash, coalesce(notification_id, job_id) AS made, created_at FROM idempotency_keys
WHERE tenant_id = %s AND key = %s
"""


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
        row = await (await connection.execute(FIND, (tenant_id, key.text))).fetchone()
    if row is None:
        return None
    if row["request_hash"] != key.request_hash:
        raise Invalid("This Idempotency-Key was used for another request.", code="idempotency_key_reused")
    return Earlier(row["made"], row["created_at"])
