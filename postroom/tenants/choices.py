"""What a tenant decided for all its messages: one JSON value for each subject, inside the tenant's transaction."""

from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.database.engine import Connection

READ = "SELECT value FROM tenant_settings WHERE tenant_id = %(tenant_id)s AND name = %(name)s"
WRITE = """
INSERT INTO tenant_settings (tenant_id, name, value) VALUES (%(tenant_id)s, %(name)s, %(value)s)
ON CONFLICT (tenant_id, name) DO UPDATE SET value = excluded.value, updated_at = now()
"""


async def read_choice(connection: Connection, tenant_id: UUID, name: str) -> Any | None:  # noqa: ANN401 - any JSON
    """Return what the tenant chose, or None where it never did."""
    row = await (await connection.execute(READ, {"tenant_id": tenant_id, "name": name})).fetchone()
    return row["value"] if row else None


async def write_choice(connection: Connection, tenant_id: UUID, name: str, value: object) -> None:
    """Remember a choice, whatever it was before."""
    await connection.execute(WRITE, {"tenant_id": tenant_id, "name": name, "value": Jsonb(value)})
