"""Statements about templates and their versions, inside a tenant's transaction."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.database.engine import Connection
from postroom.templates.content import Content
from postroom.templates.records import Event, Ref, State, Template, Version

TEMPLATES = """
SELECT t.id, t.name, t.channel, n.version AS newest, n.state AS newest_state, a.version AS approved, t.created_at,
       t.updated_at, t.deleted_at
FROM templates t
CROSS JOIN LATERAL (SELECT v.version, v.state FROM template_versions v WHERE v.template_id = t.id
                    ORDER BY v.version DESC LIMIT 1) n
LEFT JOIN LATERAL (SELECT v.version FROM template_versions v WHERE v.template_id = t.id AND v.state = 'approved'
                   ORDER BY v.version DESC LIMIT 1) a ON true
"""
# An archived template is still found by its id; its name may be another's by now. With OR, or with a
# coalesce outside a query of its own, a plan for any values reads all templates of the tenant.
NAMED = """t.id = (SELECT coalesce(%(id)s, (
    SELECT o.id FROM templates o WHERE o.tenant_id = %(tenant_id)s AND o.name = %(name)s AND o.deleted_at IS NULL)))"""
LOCK = f"SELECT t.id FROM templates t WHERE {NAMED} FOR UPDATE"
FIND = f"{TEMPLATES} WHERE {NAMED}"
LIST = f"""
{TEMPLATES} WHERE t.deleted_at IS NULL AND (%(after)s::uuid IS NULL OR t.id < %(after)s) ORDER BY t.id DESC
LIMIT %(count)s
"""

ADD = """
INSERT INTO templates (id, tenant_id, name, channel) VALUES (%(id)s, %(tenant_id)s, %(name)s, %(channel)s)
ON CONFLICT (tenant_id, name) WHERE deleted_at IS NULL DO NOTHING
"""
# NULL when another template of the tenant has the name.
RENAME = """
UPDATE templates t SET name = %(name)s, updated_at = now() WHERE t.id = %(id)s AND NOT EXISTS (
    SELECT FROM templates o WHERE o.tenant_id = t.tenant_id AND o.name = %(name)s AND o.deleted_at IS NULL
        AND o.id <> t.id)
"""
ARCHIVE = "UPDATE templates SET deleted_at = now(), updated_at = now() WHERE id = %s AND deleted_at IS NULL"

VERSIONS = """
SELECT template_id, version AS number, state, content, content_hash, author, approved_by, approved_at, created_at
FROM template_versions WHERE template_id = %(id)s
"""
ONE_VERSION = f"{VERSIONS} AND version = %(version)s"
LIST_VERSIONS = f"""
{VERSIONS} AND (%(after)s::integer IS NULL OR version < %(after)s) ORDER BY version DESC LIMIT %(count)s
"""
WRITE_VERSION = """
INSERT INTO template_versions (template_id, version, tenant_id, state, content, variables, content_hash, author,
                               approved_hash, approved_by, approved_at)
VALUES (%(id)s, %(version)s, %(tenant_id)s, %(state)s, %(content)s, %(variables)s, %(hash)s, %(key_id)s,
        CASE WHEN %(state)s = 'approved' THEN %(hash)s::bytea END,
        CASE WHEN %(state)s = 'approved' THEN %(key_id)s::uuid END, CASE WHEN %(state)s = 'approved' THEN now() END)
"""
# An approval is of the content the approver saw: the hash is in the condition, so nothing else can become approved.
MOVE = """
UPDATE template_versions SET state = %(state)s,
    approved_hash = CASE WHEN %(state)s = 'approved' THEN %(hash)s::bytea ELSE approved_hash END,
    approved_by = CASE WHEN %(state)s = 'approved' THEN %(key_id)s::uuid ELSE approved_by END,
    approved_at = CASE WHEN %(state)s = 'approved' THEN now() ELSE approved_at END
WHERE template_id = %(id)s AND version = %(version)s AND state = ANY(%(from)s)
    AND (%(state)s <> 'approved' OR content_hash = %(hash)s::bytea)
"""

NOTE = """
INSERT INTO template_events (tenant_id, template_id, version, kind, api_key_id, detail)
VALUES (%(tenant_id)s, %(id)s, %(version)s, %(kind)s, %(key_id)s, %(detail)s)
"""
EVENTS = """
SELECT id, at, kind, version, api_key_id, detail FROM template_events
WHERE tenant_id = %(tenant_id)s AND {about} AND (%(after)s::bigint IS NULL OR id < %(after)s)
ORDER BY id DESC LIMIT %(count)s
"""
EVENTS_OF_TEMPLATE = EVENTS.format(about="template_id = %(id)s")
EVENTS_OF_RULES = EVENTS.format(about="template_id IS NULL")

Window = tuple[Any, int]  # where the rows start, or None; and how many


async def find(connection: Connection, tenant_id: UUID, ref: Ref, *, lock: bool = False) -> Template | None:
    """Return a template, locked until the end of the transaction when asked for."""
    named = {"id": ref.id, "tenant_id": tenant_id, "name": ref.name}
    if lock:  # apart from reading: what a lock waited for is seen only by the next statement
        await connection.execute(LOCK, named)
    row = await (await connection.execute(FIND, named)).fetchone()
    return Template.of(row) if row else None


async def listed(connection: Connection, window: Window) -> list[Template]:
    """Return templates that are not archived, newest first."""
    rows = await connection.execute(LIST, {"after": window[0], "count": window[1]})
    return [Template.of(row) async for row in rows]


async def add(connection: Connection, tenant_id: UUID, template: Mapping[str, Any]) -> bool:
    """Insert a template; False when the tenant has one of this name."""
    return (await connection.execute(ADD, {"tenant_id": tenant_id, **template})).rowcount == 1


async def rename(connection: Connection, template_id: UUID, name: str) -> bool:
    """Give a template a name; False when another one has it. Two at once meet at the index."""
    return (await connection.execute(RENAME, {"id": template_id, "name": name})).rowcount == 1


async def archive(connection: Connection, template_id: UUID) -> bool:
    """Take a template out of use; False when it was before."""
    return (await connection.execute(ARCHIVE, (template_id,))).rowcount == 1


async def version_of(connection: Connection, template_id: UUID, number: int) -> Version | None:
    """Return one version."""
    row = await (await connection.execute(ONE_VERSION, {"id": template_id, "version": number})).fetchone()
    return Version.of(row) if row else None


async def versions_of(connection: Connection, template_id: UUID, window: Window) -> list[Version]:
    """Return versions, newest first."""
    rows = await connection.execute(LIST_VERSIONS, {"id": template_id, "after": window[0], "count": window[1]})
    return [Version.of(row) async for row in rows]


async def write_version(connection: Connection, place: Mapping[str, Any], content: Content, state: State) -> None:
    """Insert a version; `place` has tenant_id, id, version and key_id. One that begins approved was by its author."""
    told = {
        "state": str(state),
        "content": Jsonb(content.stored),
        "variables": Jsonb(content.stored["variables"]),
        "hash": content.hash,
    }
    await connection.execute(WRITE_VERSION, {**place, **told})


async def move(connection: Connection, place: Mapping[str, Any], states: tuple[Collection[State], State]) -> bool:
    """Bring a version from one of some states to another; False when it is in none of them.

    `place` has id, version, key_id and, to approve, the hash that was seen.
    """
    before, after = states
    moved = await connection.execute(MOVE, {**place, "from": list(map(str, before)), "state": str(after)})
    return moved.rowcount == 1


async def note(
    connection: Connection, place: Mapping[str, Any], kind: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Append to the audit; `place` has tenant_id, id, version and key_id."""
    await connection.execute(NOTE, {**place, "kind": kind, "detail": Jsonb(detail or {})})


async def events_of(
    connection: Connection, tenant_id: UUID, template_id: UUID | None, window: Window
) -> Sequence[Event]:
    """Return the audit of a template, or of the tenant's rules, newest first."""
    asked = {"tenant_id": tenant_id, "id": template_id, "after": window[0], "count": window[1]}
    statement = EVENTS_OF_RULES if template_id is None else EVENTS_OF_TEMPLATE
    return [Event(**row) async for row in await connection.execute(statement, asked)]
