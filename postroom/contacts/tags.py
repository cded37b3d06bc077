"""Statements about tags, inside a tenant's transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection
from postroom.errors import Invalid

MOST = 100  # of one person

# As a column of `contacts k`.
TAGS = """
ARRAY (SELECT g.tag FROM contact_tags g WHERE g.tenant_id = k.tenant_id AND g.user_id = k.user_id ORDER BY g.tag)
"""
KEEP = """
DELETE FROM contact_tags WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s AND NOT tag = ANY(%(tags)s::text[])
"""
# In the order of names, as everybody who writes about several people: nobody waits for another in a ring.
ADD = """
INSERT INTO contact_tags (tenant_id, user_id, tag)
SELECT k.tenant_id, k.user_id, t.tag FROM contacts k CROSS JOIN unnest(%(tags)s::text[]) AS t (tag)
WHERE k.tenant_id = %(tenant_id)s AND k.user_id = ANY(%(users)s::text[])
ORDER BY k.user_id, t.tag
ON CONFLICT DO NOTHING
"""
REMOVE = """
DELETE FROM contact_tags WHERE tenant_id = %(tenant_id)s AND tag = ANY(%(tags)s) AND user_id = ANY(%(users)s)
"""
OVERFULL = """
SELECT user_id FROM contact_tags WHERE tenant_id = %(tenant_id)s AND user_id = ANY(%(users)s)
GROUP BY user_id HAVING count(*) > %(most)s ORDER BY user_id LIMIT 1
"""
UNKNOWN = """
SELECT u.user_id FROM unnest(%(users)s::text[]) AS u (user_id)
WHERE NOT EXISTS (SELECT FROM contacts k WHERE k.tenant_id = %(tenant_id)s AND k.user_id = u.user_id)
ORDER BY u.user_id
"""
COUNT = """
SELECT tag, count(*) AS contacts FROM contact_tags
WHERE tenant_id = %(tenant_id)s AND tag > %(after)s AND tag ^@ %(prefix)s
GROUP BY tag ORDER BY tag LIMIT %(count)s
"""
HAS = "SELECT EXISTS (SELECT FROM contact_tags WHERE tenant_id = %(tenant_id)s AND tag = %(tag)s) AS has"
# A part of those who have it, in the order of names.
SOME = """
SELECT user_id FROM contact_tags WHERE tenant_id = %(tenant_id)s AND tag = %(tag)s ORDER BY user_id LIMIT %(count)s
"""


async def set_tags(connection: Connection, tenant_id: UUID, user_id: str, tags: Sequence[str]) -> None:
    """Give a contact that is there exactly these tags."""
    named = {"tenant_id": tenant_id, "user_id": user_id, "users": [user_id], "tags": list(tags)}
    await connection.execute(KEEP, named)
    await connection.execute(ADD, named)


async def add_tag(connection: Connection, tenant_id: UUID, tag: str, users: Sequence[str]) -> int:
    """Tag those of these people who are contacts, and return how many had not been.

    Raises:
        Invalid: one of them would have more tags than anybody may (`too_many_tags`).
    """
    named = {"tenant_id": tenant_id, "users": list(users), "tags": [tag], "most": MOST}
    added = (await connection.execute(ADD, named)).rowcount
    if added and (row := await (await connection.execute(OVERFULL, named)).fetchone()):
        raise Invalid(f"{row['user_id']} would have more than {MOST} tags.", code="too_many_tags")
    return added


async def remove_tag(connection: Connection, tenant_id: UUID, tag: str, users: Sequence[str]) -> int:
    """Take a tag from these people, and return how many had it."""
    named = {"tenant_id": tenant_id, "users": list(users), "tags": [tag]}
    return (await connection.execute(REMOVE, named)).rowcount


async def unknown_people(connection: Connection, tenant_id: UUID, users: Sequence[str]) -> list[str]:
    """Return those who are no contacts of the tenant."""
    found = await connection.execute(UNKNOWN, {"tenant_id": tenant_id, "users": list(users)})
    return [row["user_id"] async for row in found]


async def counted_tags(
    connection: Connection, tenant_id: UUID, prefix: str, window: tuple[str, int]
) -> Sequence[dict[str, Any]]:
    """Return tags and how many people have each; `window` is the tag to start behind, and how many."""
    after, count = window
    named = {"tenant_id": tenant_id, "prefix": prefix, "after": after, "count": count}
    return await (await connection.execute(COUNT, named)).fetchall()


async def has_tag(connection: Connection, tenant_id: UUID, tag: str) -> bool:
    """Tell whether anybody has it."""
    [row] = await (await connection.execute(HAS, {"tenant_id": tenant_id, "tag": tag})).fetchall()
    return bool(row["has"])


async def people_tagged(connection: Connection, tenant_id: UUID, tag: str, count: int) -> list[str]:
    """Return some of those who have a tag, the first by name."""
    found = await connection.execute(SOME, {"tenant_id": tenant_id, "tag": tag, "count": count})
    return [row["user_id"] async for row in found]
