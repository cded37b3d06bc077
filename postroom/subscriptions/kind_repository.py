"""Statements about notification types, inside a tenant's transaction."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.contracts.vocabulary import MessageClass
from postroom.database.engine import Connection
from postroom.subscriptions.kinds import Defaults, Kind, NewKind

COLUMNS = "name, group_name, class, description, defaults, digest_template, created_at, updated_at"

ALL = f"SELECT {COLUMNS} FROM notification_types WHERE tenant_id = %(tenant_id)s ORDER BY group_name, name"
ONE = f"SELECT {COLUMNS} FROM notification_types WHERE tenant_id = %(tenant_id)s AND name = %(name)s"
CLASSES = "SELECT name, class FROM notification_types WHERE tenant_id = %(tenant_id)s"
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))"
WRITE = f"""
INSERT INTO notification_types (tenant_id, name, group_name, class, description, defaults, digest_template)
VALUES (%(tenant_id)s, %(name)s, %(group)s, %(class)s, %(description)s, %(defaults)s, %(digest_template)s)
ON CONFLICT (tenant_id, name) DO UPDATE
SET group_name = excluded.group_name, description = excluded.description, defaults = excluded.defaults,
    digest_template = excluded.digest_template, updated_at = now()
RETURNING {COLUMNS}
"""
REMOVE = "DELETE FROM notification_types WHERE tenant_id = %(tenant_id)s AND name = %(name)s"


async def kinds_of(connection: Connection, tenant_id: UUID) -> Sequence[Kind]:
    """Return the types of a tenant, by group and name."""
    return [_kind(row) async for row in await connection.execute(ALL, {"tenant_id": tenant_id})]


async def kind_of(connection: Connection, tenant_id: UUID, name: str) -> Kind | None:
    """Return one type."""
    row = await (await connection.execute(ONE, {"tenant_id": tenant_id, "name": name})).fetchone()
    return _kind(row) if row else None


async def classes_of(connection: Connection, tenant_id: UUID) -> Mapping[str, MessageClass]:
    """Return the class of each type of a tenant."""
    found = await connection.execute(CLASSES, {"tenant_id": tenant_id})
    return {row["name"]: MessageClass(row["class"]) async for row in found}


async def alone(connection: Connection, tenant_id: UUID) -> None:
    """Let nobody else declare types of the tenant until the transaction ends."""
    await connection.execute(ALONE, {"name": f"notification_types {tenant_id}"})


async def write_kind(connection: Connection, tenant_id: UUID, new: NewKind) -> Kind:
    """Declare a type, or everything but the class of one that there is."""
    values = {
        "tenant_id": tenant_id,
        "name": new.name,
        "group": new.group,
        "class": new.message_class,
        "description": new.description,
        "defaults": Jsonb(new.defaults.spelled()),
        "digest_template": new.digest_template,
    }
    [row] = await (await connection.execute(WRITE, values)).fetchall()
    return _kind(row)


async def remove_kind(connection: Connection, tenant_id: UUID, name: str) -> bool:
    """Forget a type; False when there is none."""
    return (await connection.execute(REMOVE, {"tenant_id": tenant_id, "name": name})).rowcount == 1


def _kind(row: Mapping[str, Any]) -> Kind:
    return Kind(
        name=row["name"],
        group=row["group_name"],
        message_class=MessageClass(row["class"]),
        description=row["description"],
        defaults=Defaults.read(row["defaults"]),
        digest_template=row["digest_template"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
