"""The statements that write a job with all its notifications, inside one tenant's transaction."""

import hashlib
import json
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from postroom.database.arrays import Integers, Texts, Uuids
from postroom.database.engine import Connection
from postroom.jobs.batch import Batch
from postroom.jobs.wording import sheets
from postroom.notifications.request import spelled
from postroom.templates.resolving import Resolved

# Whoever is refused has a notification all the same, which ended as it began: it is counted, it has a reason and a
# story, and it can be retried unless there is nothing to say. A job that is written page by page grows with each.
JOB = """
WITH job AS (
    INSERT INTO jobs (id, tenant_id, api_key_id, kind, total)
    VALUES (%(job_id)s, %(tenant_id)s, %(api_key_id)s, 'batch', %(total)s)
    ON CONFLICT (id) DO UPDATE SET total = jobs.total + excluded.total
), shared AS (
    SELECT %(at)s::timestamptz AS at, coalesce(%(at)s::timestamptz, now() + %(delay)s::interval, now()) AS due,
           %(delay)s::interval AS delay
), people AS (
    SELECT * FROM unnest(%(ids)b::uuid[], %(users)b::text[], %(refusals)b::text[]) AS person (id, user_id, refusal)
), written AS (
    INSERT INTO notifications (id, tenant_id, api_key_id, job_id, user_id, channel, channels, strategy, priority, class,
                               notification_type, scheduled_at, due_at, expires_at, fallback_after, state, reason,
                               ended_at)
    SELECT p.id, %(tenant_id)s, %(api_key_id)s, %(job_id)s, p.user_id, (%(channels)s::text[])[1], %(channels)s::text[],
           %(strategy)s, %(priority)s, %(class)s, %(type)s, coalesce(s.at, now() + s.delay), s.due,
           coalesce(%(end)s::timestamptz, s.due + %(life)s::interval), %(fallback)s::interval,
           CASE WHEN p.refusal IS NULL THEN 'open' ELSE 'failed' END, p.refusal,
           CASE WHEN p.refusal IS NOT NULL THEN now() END
    FROM people p CROSS JOIN shared s
)
"""

# What is said to everybody crosses the wire once.
SHARED_WORDS = """
, worded AS (
    INSERT INTO notification_contents (notification_id, tenant_id, title, body_text, body_html, metadata)
    SELECT id, %(tenant_id)s, %(title)s, %(text)s, %(html)s, metadata::jsonb
    FROM unnest(%(ids)b::uuid[], %(metadata)b::text[]) AS person (id, metadata)
)
"""
# With a template: what is given to everybody crosses once too, and what is given to one goes before it.
TEMPLATE_WORDS = """
, worded AS (
    INSERT INTO notification_contents (notification_id, tenant_id, metadata, template_id, template_version, language,
                                       variables)
    SELECT id, %(tenant_id)s, metadata::jsonb, template_id, version, %(language)s,
           %(variables)s::jsonb || coalesce(own::jsonb, '{}')
    FROM unnest(%(ids)b::uuid[], %(metadata)b::text[], %(templates)b::uuid[], %(versions)b::integer[], %(own)b::text[])
        AS person (id, metadata, template_id, version, own)
)
"""
MOMENT = "SELECT now() AS accepted_at"

OWN_WORDS = """
INSERT INTO notification_contents (notification_id, tenant_id, title, body_text, body_html, metadata)
SELECT id, %(tenant_id)s, title, body_text, body_html, metadata::jsonb
FROM unnest(%(ids)b::uuid[], %(titles)b::text[], %(texts)b::text[], %(htmls)b::text[], %(metadata)b::text[])
    AS person (id, title, body_text, body_html, metadata)
"""

# At the moment of this transaction, like the end it explains.
NOTE_GAPS = """
INSERT INTO notification_events (notification_id, tenant_id, at, kind, reason, detail)
SELECT id, %(tenant_id)s, now(), 'no_words', reason, detail::jsonb
FROM unnest(%(ids)b::uuid[], %(reasons)b::text[], %(details)b::text[]) AS gap (id, reason, detail)
"""

BLOB = """
INSERT INTO blobs (tenant_id, sha256, content) VALUES (%(tenant_id)s, %(sha256)s, %(content)b) ON CONFLICT DO NOTHING
"""
ATTACHMENT = """
INSERT INTO notification_attachments
    (notification_id, position, tenant_id, sha256, filename, content_type, content_id, size)
SELECT id, %(position)s, %(tenant_id)s, %(sha256)s, %(filename)s, %(content_type)s, %(content_id)s, %(size)s
FROM unnest(%(ids)s::uuid[]) AS id
"""


async def write_job(connection: Connection, batch: Batch, refused: Collection[str], reason: str) -> datetime:
    """Write the job with its notifications; those of `refused` user_ids end at once, for `reason`, and so do its gaps.

    Returns the moment they count as accepted.
    """
    request, people, shared = batch.request, batch.recipients, not batch.has_variables
    reasons = dict.fromkeys(refused, reason) | {user_id: gap.reason for user_id, gap in batch.gaps.items()}
    values = {
        "job_id": batch.id,
        "tenant_id": batch.tenant_id,
        "api_key_id": batch.api_key_id,
        "total": len(people),
        "ids": Uuids(person.notification_id for person in people),
        "users": Texts(person.user_id for person in people),
        "refusals": Texts(reasons.get(person.user_id) for person in people),
        "channels": [str(channel) for channel in request.channels],
        "strategy": str(request.strategy),
        "priority": int(request.priority),
        "class": str(request.message_class),
        "type": request.notification_type,
        "at": request.schedule.at,
        "delay": request.schedule.delay,
        "end": request.expires_at,
        "life": batch.life,
        "fallback": batch.fallback_after,
    }
    words = SHARED_WORDS if shared else ""
    if batch.resolved:
        words = TEMPLATE_WORDS
        values |= _template_words(batch, batch.resolved)
    elif shared:
        values |= _shared_words(batch)
    (row,) = await (await connection.execute(JOB + words + MOMENT, values)).fetchall()
    if not shared:
        await _write_own_words(connection, batch)
    await _note_gaps(connection, batch)
    await _write_files(connection, batch)
    accepted_at: datetime = row["accepted_at"]
    return accepted_at


def _shared_words(batch: Batch) -> dict[str, Any]:
    request = batch.request
    words = {"title": request.title, "text": request.body_text, "html": request.body_html}
    return words | {"metadata": Texts(batch.metadata_json(person) for person in batch.recipients)}


def _template_words(batch: Batch, resolved: Resolved) -> dict[str, Any]:
    use, people = batch.request.template, batch.recipients
    pinned = [resolved.pick(person.user_id) for person in people]
    return {
        "language": use.language if use else None,
        "variables": spelled(use.variables if use else {}),
        "metadata": Texts(batch.metadata_json(person) for person in people),
        "templates": Uuids(one.template_id for one in pinned),
        "versions": Integers(one.version for one in pinned),
        "own": Texts(spelled(person.variables) if person.variables else None for person in people),
    }


async def _write_own_words(connection: Connection, batch: Batch) -> None:
    """Write what each is told."""
    for sheet in sheets(batch):
        told = {
            "tenant_id": batch.tenant_id,
            "ids": Uuids(person.notification_id for person, _ in sheet),
            "titles": Texts(words.title for _, words in sheet),
            "texts": Texts(words.text for _, words in sheet),
            "htmls": Texts(words.html for _, words in sheet),
            "metadata": Texts(batch.metadata_json(person) for person, _ in sheet),
        }
        await connection.execute(OWN_WORDS, told)


async def _note_gaps(connection: Connection, batch: Batch) -> None:
    """Note at whoever cannot be told anything why."""
    gaps = [(one.notification_id, batch.gaps[one.user_id]) for one in batch.recipients if one.user_id in batch.gaps]
    if gaps:
        noted = {
            "tenant_id": batch.tenant_id,
            "ids": Uuids(one for one, _ in gaps),
            "reasons": Texts(gap.reason for _, gap in gaps),
            "details": Texts(json.dumps(gap.place) for _, gap in gaps),
        }
        await connection.execute(NOTE_GAPS, noted)


async def _write_files(connection: Connection, batch: Batch) -> None:
    """Store the bytes once, in one order for everybody, then what each notification calls them."""
    ids: list[UUID] = [person.notification_id for person in batch.recipients]
    files = [(hashlib.sha256(file.content).digest(), file) for file in batch.request.attachments]
    for digest, file in sorted(files, key=lambda entry: entry[0]):
        blob = {"tenant_id": batch.tenant_id, "sha256": digest, "content": file.content}
        await connection.execute(BLOB, blob)
    for position, (digest, file) in enumerate(files):
        names = {"filename": file.filename, "content_type": file.content_type, "content_id": file.content_id}
        line = {"ids": ids, "position": position, "tenant_id": batch.tenant_id, "sha256": digest}
        await connection.execute(ATTACHMENT, line | names | {"size": len(file.content)})
