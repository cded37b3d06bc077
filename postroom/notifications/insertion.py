"""The statements that write accepted notifications, many at a time, as the role that can do nothing else."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from postroom.database.arrays import Integers, Texts, Uuids
from postroom.database.engine import Connection
from postroom.notifications.request import Draft, spelled

# In the order of their keys: two groups that meet on a key wait for each other in one direction only.
KEYS = """
INSERT INTO idempotency_keys (tenant_id, key, request_hash, notification_id)
SELECT * FROM unnest(%(tenants)b::uuid[], %(keys)b::text[], %(hashes)b::bytea[], %(ids)b::uuid[])
ON CONFLICT DO NOTHING
RETURNING notification_id
"""

# Times are the database's: a delay counts from the moment of this transaction. Arrays travel binary where they hold
# values, which costs a quarter; an array of nothing but NULL has no type of its own and travels as text.
WRITE = """
WITH drafts AS (
    SELECT *, coalesce(at, now() + delay, now()) AS due FROM unnest(
        %(ids)b::uuid[], %(tenants)b::uuid[], %(api_keys)b::uuid[], %(users)b::text[], %(channels)b::text[],
        %(strategies)b::text[], %(priorities)b::smallint[], %(classes)b::text[], %(types)b::text[],
        %(ats)s::timestamptz[], %(delays)s::interval[], %(ends)s::timestamptz[], %(lives)b::interval[],
        %(fallbacks)b::interval[], %(titles)b::text[], %(texts)b::text[], %(htmls)b::text[], %(metadata)b::text[]
        {columns})
        AS draft (id, tenant_id, api_key_id, user_id, channels, strategy, priority, class, type, at, delay, ends, life,
                  fallback, title, body_text, body_html, metadata{names})
), written AS (
    INSERT INTO notifications (id, tenant_id, api_key_id, user_id, channel, channels, strategy, priority, class,
                               notification_type, scheduled_at, due_at, expires_at, fallback_after)
    SELECT id, tenant_id, api_key_id, user_id, split_part(channels, ',', 1), string_to_array(channels, ','), strategy,
           priority, class, type, coalesce(at, now() + delay), due, coalesce(ends, due + life), fallback
    FROM drafts
), worded AS (
    INSERT INTO notification_contents (notification_id, tenant_id, title, body_text, body_html, metadata{names})
    SELECT id, tenant_id, title, body_text, body_html, metadata::jsonb{values} FROM drafts
)
SELECT now() AS accepted_at
"""
NOTIFICATIONS = WRITE.format(columns="", names="", values="")
# With templates among them; the others' columns are empty here.
WITH_TEMPLATES = WRITE.format(
    columns=", %(templates)b::uuid[], %(versions)b::integer[], %(languages)b::text[], %(variables)b::text[]",
    names=", template_id, template_version, language, variables",
    values=", template_id, template_version, language, variables::jsonb",
)

BLOB = "INSERT INTO blobs (tenant_id, sha256, content) VALUES (%s, %s, %b) ON CONFLICT DO NOTHING"
ATTACHMENT = """
INSERT INTO notification_attachments
    (notification_id, position, tenant_id, sha256, filename, content_type, content_id, size)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""


async def take_keys(connection: Connection, drafts: Sequence[Draft]) -> set[UUID]:
    """Take the idempotency keys of these drafts and return the ids of the drafts that were first.

    A key that another transaction is taking right now is waited for.
    """
    keyed = sorted(
        ((draft.tenant_id, draft.key.text, draft.key.request_hash, draft.id) for draft in drafts if draft.key),
        key=lambda entry: entry[:2],
    )
    if not keyed:
        return set()
    columns = zip(("tenants", "keys", "hashes", "ids"), zip(*keyed, strict=True), strict=True)
    cursor = await connection.execute(KEYS, {name: list(values) for name, values in columns})
    return {row["notification_id"] for row in await cursor.fetchall()}


async def write_notifications(connection: Connection, drafts: Sequence[Draft]) -> datetime:
    """Write the drafts with their words and files; returns the moment they count as accepted."""
    cursor = await connection.execute(
        WITH_TEMPLATES if any(draft.casting for draft in drafts) else NOTIFICATIONS,
        {**_asked(drafts), **_cast(drafts)},
    )
    (row,) = await cursor.fetchall()
    await _write_files(connection, drafts)
    accepted_at: datetime = row["accepted_at"]
    return accepted_at


def _asked(drafts: Sequence[Draft]) -> dict[str, Any]:
    requests = [draft.request for draft in drafts]
    return {
        "ids": Uuids(draft.id for draft in drafts),
        "tenants": Uuids(draft.tenant_id for draft in drafts),
        "api_keys": Uuids(draft.api_key_id for draft in drafts),
        "users": Texts(request.user_id for request in requests),
        "channels": Texts(",".join(request.channels) for request in requests),
        "strategies": Texts(str(request.strategy) for request in requests),
        "priorities": Integers(int(request.priority) for request in requests),
        "classes": Texts(str(request.message_class) for request in requests),
        "types": Texts(request.notification_type for request in requests),
        "ats": [request.schedule.at for request in requests],
        "delays": [request.schedule.delay for request in requests],
        "ends": [request.expires_at for request in requests],
        "lives": [draft.life for draft in drafts],
        "fallbacks": [draft.fallback_after for draft in drafts],
        "titles": Texts(request.title for request in requests),
        "texts": Texts(request.body_text for request in requests),
        "htmls": Texts(request.body_html for request in requests),
        "metadata": Texts(draft.metadata_json for draft in drafts),
    }


def _cast(drafts: Sequence[Draft]) -> dict[str, Any]:
    castings = [draft.casting for draft in drafts]
    if not any(castings):
        return {}
    return {
        "templates": Uuids(one.template_id if one else None for one in castings),
        "versions": Integers(one.version if one else None for one in castings),
        "languages": Texts(one.language if one else None for one in castings),
        "variables": Texts(spelled(one.variables) if one else None for one in castings),
    }


async def _write_files(connection: Connection, drafts: Sequence[Draft]) -> None:
    """Store the bytes once, in one order for everybody, then what each notification calls them."""
    blobs: dict[tuple[UUID, bytes], bytes] = {}
    lines = []
    for draft in drafts:
        for position, file in enumerate(draft.request.attachments):
            digest = hashlib.sha256(file.content).digest()
            blobs[draft.tenant_id, digest] = file.content
            names = (file.filename, file.content_type, file.content_id, len(file.content))
            lines.append((draft.id, position, draft.tenant_id, digest, *names))
    if not lines:
        return
    async with connection.cursor() as cursor:
        for (tenant_id, digest), content in sorted(blobs.items(), key=lambda entry: entry[0]):
            await cursor.execute(BLOB, (tenant_id, digest, content))
        await cursor.executemany(ATTACHMENT, lines)
