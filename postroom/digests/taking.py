"""Ends digests: takes the items that still wait, and puts one notification in their place, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.database.engine import Connection
from postroom.deliveries.locking import lock_named
from postroom.deliveries.settling import settle
from postroom.digests.items import WAITING_IN_G, Line
from postroom.digests.telling import tell
from postroom.identity import DIGEST, NOTIFICATION, new_id, public_id
from postroom.notifications.request import ADDRESS_FIELDS
from postroom.timing import Timing

ITEMS = """
SELECT DISTINCT i.notification_id FROM digest_items i JOIN digests g ON g.id = i.digest_id
WHERE i.digest_id = ANY(%(ids)s) AND g.state = 'closing'
"""

LOCK = """
SELECT id FROM digests WHERE id = ANY(%(ids)s) AND state = 'closing'
ORDER BY user_id, notification_type, channel, id FOR NO KEY UPDATE
"""

# The template that the type names for its digests, as it is approved now.
READERS = """
SELECT g.id, g.notification_type, g.channel, k.language,
       coalesce(k.time_zone, s.value ->> 'time_zone') AS time_zone, t.class, v.template_id,
       v.version AS template_version, v.variables AS declared, o.value AS shared
FROM digests g
LEFT JOIN contacts k ON k.tenant_id = g.tenant_id AND k.user_id = g.user_id
LEFT JOIN tenant_settings s ON s.tenant_id = g.tenant_id AND s.name = 'policy'
LEFT JOIN tenant_settings o ON o.tenant_id = g.tenant_id AND o.name = 'variables'
LEFT JOIN notification_types t ON t.tenant_id = g.tenant_id AND t.name = g.notification_type
LEFT JOIN LATERAL (
    SELECT v.template_id, v.version, v.variables
    FROM templates m JOIN template_versions v ON v.template_id = m.id
    WHERE m.tenant_id = g.tenant_id AND m.name = t.digest_template AND m.deleted_at IS NULL
        AND m.channel = g.channel AND v.state = 'approved' AND v.approved_hash = v.content_hash
    ORDER BY v.version DESC LIMIT 1
) v ON true
WHERE g.id = ANY(%(ids)s)
"""

# Should an item have come into two digests, the earlier one takes it.
TAKE = f"""
WITH waiting AS MATERIALIZED (
    SELECT DISTINCT ON (w.id) w.*, p.metadata
    FROM unnest(%(ids)s::uuid[]) AS asked (id) JOIN digests g ON g.id = asked.id
    CROSS JOIN LATERAL (
        SELECT d.id, i.digest_id, n.id AS notification_id, n.priority, n.class
        {WAITING_IN_G} AND n.id = ANY(%(locked)s)
    ) w
    CROSS JOIN LATERAL (SELECT * FROM notification_contents WHERE notification_id = w.notification_id OFFSET 0) p
    ORDER BY w.id, w.digest_id
), taken AS (
    UPDATE deliveries d SET state = 'skipped', reason = 'digested', token = NULL, ended_at = now()
    FROM waiting w WHERE d.id = w.id
), noted AS (
    UPDATE digest_items i SET taken_at = now()
    FROM waiting w WHERE i.digest_id = w.digest_id AND i.notification_id = w.notification_id
)
SELECT digest_id, notification_id, priority, class, metadata FROM waiting ORDER BY notification_id
"""

INSERT = """
WITH told AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(digests)s::uuid[], %(priorities)s::smallint[], %(classes)s::text[],
                         %(lives)s::interval[], %(titles)s::text[], %(texts)s::text[], %(htmls)s::text[],
                         %(metadata)s::jsonb[], %(templates)s::uuid[], %(versions)s::integer[], %(variables)s::jsonb[])
        AS told (id, digest_id, priority, class, life, title, body_text, body_html, metadata, template_id, version,
                 variables)
), written AS (
    INSERT INTO notifications (id, tenant_id, user_id, channel, channels, priority, class, notification_type, origin,
                               due_at, expires_at, fallback_after)
    SELECT t.id, g.tenant_id, g.user_id, g.channel, ARRAY[g.channel], t.priority, t.class, g.notification_type,
           'digest', now(), now() + t.life, interval '0'
    FROM told t JOIN digests g ON g.id = t.digest_id
), worded AS (
    INSERT INTO notification_contents (notification_id, tenant_id, title, body_text, body_html, metadata, template_id,
                                       template_version, variables)
    SELECT t.id, g.tenant_id, t.title, t.body_text, t.body_html, t.metadata, t.template_id, t.version, t.variables
    FROM told t JOIN digests g ON g.id = t.digest_id
)
INSERT INTO notification_events (notification_id, tenant_id, at, kind, detail)
SELECT t.id, g.tenant_id, now(), 'gathered',
       jsonb_build_object('digest', t.metadata->'digest_id', 'items', t.metadata->'digest_items')
FROM told t JOIN digests g ON g.id = t.digest_id
"""

TELL_ITEMS = """
INSERT INTO notification_events (notification_id, tenant_id, at, kind, detail)
SELECT one.item, n.tenant_id, now(), 'digested',
       jsonb_build_object('digest', one.digest, 'notification', one.told)
FROM unnest(%(items)s::uuid[], %(digests)s::text[], %(told)s::text[]) AS one (item, digest, told)
JOIN notifications n ON n.id = one.item
"""

END = """
UPDATE digests g SET state = CASE WHEN e.told IS NULL THEN 'empty' ELSE 'sent' END, notification_id = e.told,
    items = e.items, closed_at = now()
FROM unnest(%(ids)s::uuid[], %(told)s::uuid[], %(counts)s::integer[]) AS e (id, told, items) WHERE g.id = e.id
"""

# Held back by no list and no wish that would not have held back each of the items.
STRONGEST = (MessageClass.SECURITY, MessageClass.TRANSACTIONAL, MessageClass.MARKETING)


@dataclass(frozen=True, slots=True)
class Taken:
    """A digest and the items it took; the notification in their place has an id already."""

    reader: Mapping[str, Any]
    items: Sequence[Mapping[str, Any]]
    id: UUID

    @property
    def message_class(self) -> MessageClass:
        """The class of its type; where nobody declared the type, the strongest among the items."""
        found = {str(item["class"]) for item in self.items}
        return MessageClass(self.reader["class"] or next(one for one in STRONGEST if one in found))

    def listed(self, lines: Mapping[UUID, Sequence[Line]]) -> Sequence[Line]:
        """The lines of what it took; an item that went elsewhere since they were read is not told."""
        taken = {item["notification_id"] for item in self.items}
        return [line for line in lines.get(self.reader["id"], ()) if line.notification_id in taken]

    def metadata(self) -> dict[str, Any]:
        """What the notification tells of the digest, and the address that was last given beside an item."""
        told: dict[str, Any] = {"digest_id": public_id(DIGEST, self.reader["id"]), "digest_items": len(self.items)}
        channel = ChannelKind(self.reader["channel"])
        field = ADDRESS_FIELDS.get(channel, str(channel))
        given = [item["metadata"][field] for item in self.items if field in item["metadata"]]
        return told | ({field: given[-1]} if given else {})


async def take(
    connection: Connection, ids: Sequence[UUID], lines: Mapping[UUID, Sequence[Line]], timing: Timing
) -> None:
    """End these digests as far as they are closing; done once, it finds nothing more to do.

    In a transaction of their tenant. `lines` are what the first items say, read before.
    """
    parameters: dict[str, object] = {"ids": list(ids)}
    waiting = [row["notification_id"] async for row in await connection.execute(ITEMS, parameters)]
    locked = await lock_named(connection, waiting)
    closing = {"ids": [row["id"] async for row in await connection.execute(LOCK, parameters)]}
    if not closing["ids"]:
        return
    readers = await (await connection.execute(READERS, closing)).fetchall()
    found = await (await connection.execute(TAKE, closing | {"locked": locked})).fetchall()
    digests = [
        Taken(reader, [item for item in found if item["digest_id"] == reader["id"]], new_id()) for reader in readers
    ]
    await _insert(connection, [one for one in digests if one.items], lines, timing)
    await _end(connection, digests)
    await settle(connection, [item["notification_id"] for item in found])


async def _insert(
    connection: Connection, digests: Sequence[Taken], lines: Mapping[UUID, Sequence[Line]], timing: Timing
) -> None:
    if not digests:
        return
    told = [tell(one.reader, one.listed(lines), len(one.items)) for one in digests]
    columns = {
        "ids": [one.id for one in digests],
        "digests": [one.reader["id"] for one in digests],
        "priorities": [min(item["priority"] for item in one.items) for one in digests],
        "classes": [str(one.message_class) for one in digests],
        "lives": [timing.life(one.message_class) for one in digests],
        "metadata": [Jsonb(one.metadata()) for one in digests],
        "titles": [one.title for one in told],
        "texts": [one.text for one in told],
        "htmls": [one.html for one in told],
        "templates": [one.template_id for one in told],
        "versions": [one.version for one in told],
        "variables": [one.variables for one in told],
    }
    await connection.execute(INSERT, columns)


async def _end(connection: Connection, digests: Sequence[Taken]) -> None:
    """Tell each item where it went, and end the digests: with their notification, or with nothing for nothing."""
    gone = [(item["notification_id"], one) for one in digests for item in one.items]
    told = {
        "items": [item for item, _ in gone],
        "digests": [public_id(DIGEST, one.reader["id"]) for _, one in gone],
        "told": [public_id(NOTIFICATION, one.id) for _, one in gone],
    }
    await connection.execute(TELL_ITEMS, told)
    ends = {
        "ids": [one.reader["id"] for one in digests],
        "told": [one.id if one.items else None for one in digests],
        "counts": [len(one.items) for one in digests],
    }
    await connection.execute(END, ends)
