"""Tenants and their keys, as an operator handles them."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from postroom.channels.email.addresses import parse_sender
from postroom.database.engine import Database
from postroom.errors import Conflict, Invalid, NotFound
from postroom.identity import API_KEY, parse_id
from postroom.tenants import repository
from postroom.tenants.keys import NewKey, Scope, new_key
from postroom.tenants.repository import Row

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


class Directory:
    """Adds, lists and revokes; every call is one transaction."""

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database = database
        self._pepper = pepper

    async def add_tenant(self, slug: str, name: str | None = None, mail_from: str | None = None) -> Row:
        """Make a tenant; its slug stands in workflow ids, so it is short and plain."""
        if not SLUG.fullmatch(slug):
            raise Invalid("A slug is up to 63 lower-case letters, digits and hyphens.", code="invalid_slug")
        if mail_from is not None:
            parse_sender(mail_from)
        async with self._database.system_transaction() as connection:
            row = await repository.insert_tenant(connection, slug, name or slug, mail_from)
        if row is None:
            raise Conflict(f"There is a tenant {slug!r} already.", code="slug_taken")
        return row

    async def tenants(self) -> Sequence[Row]:
        """Return all tenants."""
        async with self._database.system_transaction() as connection:
            return await repository.all_tenants(connection)

    async def tenant_id(self, slug: str) -> UUID:
        """Return the id behind a slug."""
        async with self._database.system_transaction() as connection:
            row = await repository.tenant_by_slug(connection, slug)
        if row is None:
            raise NotFound(f"There is no tenant {slug!r}.")
        return UUID(str(row["id"]))

    async def add_key(
        self, slug: str, name: str, scopes: Collection[Scope] = tuple(Scope), expires_at: datetime | None = None
    ) -> tuple[NewKey, Row]:
        """Make a key; the returned text is never to be had again."""
        key = new_key(self._pepper)
        return key, await self.store_key(await self.tenant_id(slug), key, (name, scopes, expires_at))

    async def store_key(
        self, tenant_id: UUID, key: NewKey, terms: tuple[str, Collection[Scope], datetime | None]
    ) -> Row:
        """Store a key under its name, scopes and end."""
        name, scopes, expires_at = terms
        row = {
            "tenant_id": tenant_id,
            "name": name,
            "hint": key.hint,
            "key_hash": key.key_hash,
            "scopes": sorted(scopes),
            "expires_at": expires_at,
        }
        async with self._database.system_transaction() as connection:
            stored = await repository.insert_key(connection, row)
        if stored is None:
            raise Conflict("This key is stored already.", code="key_taken")
        return stored

    async def rescope_key(self, tenant_id: UUID, key: NewKey, scopes: Collection[Scope]) -> None:
        """Let a key do this and nothing else; another tenant's key with the same text is left alone."""
        async with self._database.system_transaction() as connection:
            await repository.rescope_key(connection, tenant_id, key.key_hash, sorted(scopes))

    async def keys(self, slug: str) -> Sequence[Row]:
        """Return a tenant's keys: hints and dates, never the keys."""
        tenant_id = await self.tenant_id(slug)
        async with self._database.system_transaction() as connection:
            return await repository.keys_of(connection, tenant_id)

    async def revoke_key(self, slug: str, key_id: str) -> None:
        """End a key; every API process refuses it within five seconds."""
        tenant_id = await self.tenant_id(slug)
        async with self._database.system_transaction() as connection:
            revoked = await repository.revoke_key(connection, tenant_id, parse_id(API_KEY, key_id))
        if not revoked:
            raise NotFound("There is no such key.")
