"""Versions on the shelf: what accepted notifications were pinned to, for whoever words them."""

from collections.abc import Collection, Mapping
from uuid import UUID

from postroom.database.arrays import Integers, Uuids
from postroom.database.engine import Connection
from postroom.templates.content import Content

Pin = tuple[UUID, int]  # a template's id and a version of it

# Retired, archived: no matter, it was accepted. Never approved as it stands: nothing may send it.
CONTENTS = """
SELECT v.template_id, v.version, v.content
FROM unnest(%(templates)b::uuid[], %(versions)b::integer[]) AS w (template_id, version)
JOIN template_versions v ON v.template_id = w.template_id AND v.version = w.version
WHERE v.approved_hash = v.content_hash
"""


async def contents(connection: Connection, wanted: Collection[Pin]) -> Mapping[Pin, Content]:
    """Return what is said by each of these versions that was ever approved, inside the tenant's transaction."""
    if not wanted:
        return {}
    pins = list(wanted)
    asked = {
        "templates": Uuids(template_id for template_id, _ in pins),
        "versions": Integers(version for _, version in pins),
    }
    rows = await connection.execute(CONTENTS, asked)
    return {(row["template_id"], row["version"]): Content.read(row["content"]) async for row in rows}
