"""What waits in a digest: which deliveries still do, and what the first of them say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from postroom.channels.email.plaintext import plain_text
from postroom.database.engine import Connection
from postroom.rendering.speech import Words

LISTED = 20  # items that a digest spells out; the others are counted
TEXT_LIMIT = 240
READ_LIMIT = 20_000  # letters of an item that are read for its line

# Joined as g, i, n and d. What was cancelled, moved, hurried or freed by its person no longer waits for a digest.
STILL_WAITING = """
n.state = 'open' AND n.expires_at > now() AND NOT n.cancel_requested AND NOT n.send_now
    AND (n.scheduled_at IS NULL OR n.scheduled_at <= now()) AND d.state = 'pending' AND d.reason = 'digest'
"""
# The items of one digest, one after the other through the indexes, whatever the planner has heard of these tables.
WAITING_IN_G = f"""
FROM digest_items i
CROSS JOIN LATERAL (SELECT * FROM notifications WHERE id = i.notification_id OFFSET 0) n
CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE notification_id = n.id AND channel = g.channel OFFSET 0) d
WHERE i.digest_id = g.id AND {STILL_WAITING}
"""

FIRST = f"""
SELECT g.id AS digest_id, w.*, p.title, left(p.body_text, {READ_LIMIT}) AS body_text,
       left(p.body_html, {READ_LIMIT}) AS body_html, p.template_id, p.template_version, p.variables, p.language,
       g.user_id, k.language AS known_language, k.time_zone, k.attributes
FROM unnest(%(ids)s::uuid[]) AS asked (id) JOIN digests g ON g.id = asked.id AND g.state = 'closing'
CROSS JOIN LATERAL (
    SELECT n.id AS notification_id, n.created_at {WAITING_IN_G} ORDER BY i.notification_id LIMIT {LISTED}
) w
CROSS JOIN LATERAL (SELECT * FROM notification_contents WHERE notification_id = w.notification_id OFFSET 0) p
LEFT JOIN contacts k ON k.tenant_id = g.tenant_id AND k.user_id = g.user_id
ORDER BY g.id, w.notification_id
"""


@dataclass(frozen=True, slots=True)
class Line:
    """What a digest says of one item; one without words is told by its type and time."""

    notification_id: UUID
    created_at: datetime
    title: str | None = None
    text: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any], spoken: Words | None = None) -> "Line":
        """Make the line of an item from its own words, or from those of its template."""
        words = spoken or Words(row["title"], row["body_text"], row["body_html"])
        text = words.text or plain_text((words.html or "")[:READ_LIMIT])
        return cls(row["notification_id"], row["created_at"], _short(words.title), _short(text))


async def first_items(connection: Connection, ids: Sequence[UUID]) -> Sequence[Mapping[str, Any]]:
    """Return what there is to say of the first items of each of these closing digests, the earliest first."""
    return await (await connection.execute(FIRST, {"ids": list(ids)})).fetchall()


def lines_of(items: Sequence[Mapping[str, Any]], spoken: Mapping[UUID, Words]) -> dict[UUID, list[Line]]:
    """Make the lines of items, by digest."""
    lines: dict[UUID, list[Line]] = {}
    for row in items:
        lines.setdefault(row["digest_id"], []).append(Line.of(row, spoken.get(row["notification_id"])))
    return lines


def _short(text: str | None) -> str | None:
    """One line of an item's words, cut where it gets long."""
    words = " ".join((text or "").split())
    return (words if len(words) <= TEXT_LIMIT else words[: TEXT_LIMIT - 1].rstrip() + "…") or None
