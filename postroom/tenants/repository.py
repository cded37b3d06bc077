"""Statements about tenants and keys. They run over all tenants, because a key is what tells whose a request is."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection

Row = dict[str, Any]

KEY_COLUMNS = "id, name, hint, scopes, created_at, expires_at, revoked_at"


async def insert_tenant(connection: Connection, slug: str, name: str, mail_from: str | None) -> Row | None:
    """Add a tenant; None when the slug is taken."""
    cursor = await connection.execute(
        "INSERT INTO tenants (slug, name, mail_from) VALUES (%s, %s, %s) ON CONFLICT (slug) DO NOTHING "
        "RETURNING id, slug, name, mail_from, created_at",
        (slug, name, mail_from),
    )
    return await cursor.fetchone()


async def all_tenants(connection: Connection) -> Sequence[Row]:
    """Return every tenant by slug."""
    cursor = await connection.execute("SELECT id, slug, name, mail_from, created_at FROM tenants ORDER BY slug")
    return await cursor.fetchall()


async def tenant_by_slug(connection: Connection, slug: str) -> Row | None:
    """Return one tenant."""
    cursor = await connection.execute(
        "SELECT id, slug, name, mail_from, created_at FROM tenants WHERE slug = %s", (slug,)
    )
    return await cursor.fetchone()


async def insert_key(connection: Connection, row: Row) -> Row | None:
    """Add a key; None when a key with this hash is there already."""
    cursor = await connection.execute(
        "INSERT INTO api_keys (tenant_id, name, hint, key_hash, scopes, expires_at) "
        "VALUES (%(tenant_id)s, %(name)s, %(hint)s, %(key_hash)s, %(scopes)s, %(expires_at)s) "
        f"ON CONFLICT (key_hash) DO NOTHING RETURNING {KEY_COLUMNS}",
        row,
    )
    return await cursor.fetchone()


async def rescope_key(connection: Connection, tenant_id: UUID, key_hash: bytes, scopes: Sequence[str]) -> None:
    """Write what a tenant's key may do; the row is left alone when it says so already."""
    await connection.execute(
        "UPDATE api_keys SET scopes = %(scopes)s WHERE tenant_id = %(tenant_id)s AND key_hash = %(key_hash)s "
        "AND scopes IS DISTINCT FROM %(scopes)s",
        {"tenant_id": tenant_id, "key_hash": key_hash, "scopes": list(scopes)},
    )


async def keys_of(connection: Connection, tenant_id: UUID) -> Sequence[Row]:
    """Return a tenant's keys, oldest first."""
    cursor = await connection.execute(
        f"SELECT {KEY_COLUMNS} FROM api_keys WHERE tenant_id = %s ORDER BY id", (tenant_id,)
    )
    return await cursor.fetchall()


async def revoke_key(connection: Connection, tenant_id: UUID, key_id: UUID) -> bool:
    """Revoke a key once; False when the tenant has no such key."""
    cursor = await connection.execute(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = %s AND id = %s",
        (tenant_id, key_id),
    )
    return cursor.rowcount == 1


async def key_by_hash(connection: Connection, key_hash: bytes) -> Row | None:
    """Return a key with its tenant, and whether it may still be used by the database's clock."""
    cursor = await connection.execute(
        "SELECT k.id, k.tenant_id, t.slug, k.scopes, k.revoked_at IS NOT NULL AS revoked, "
        "coalesce(k.expires_at <= now(), false) AS expired "
        "FROM api_keys k JOIN tenants t ON t.id = k.tenant_id WHERE k.key_hash = %s",
        (key_hash,),
    )
    return await cursor.fetchone()
