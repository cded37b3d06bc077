"""A tenant's guard rails, as the API reads and writes them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection, Database
from postroom.guard_rails.rails import CHOICE, Limits
from postroom.tenants.choices import read_choice, write_choice


class GuardRails:
    """The guard rails of one deployment's tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant_id: UUID) -> Limits:
        """Return what holds for a tenant, chosen or not."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            return await limits_of(connection, tenant_id)

    async def put(self, tenant_id: UUID, chosen: Mapping[str, Any]) -> Limits:
        """Replace what a tenant chose; it counts from the next look on, a few seconds later."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            await write_choice(connection, tenant_id, CHOICE, chosen)
        return Limits.read(chosen)


async def limits_of(connection: Connection, tenant_id: UUID) -> Limits:
    """Return the limits that hold, inside a tenant's transaction."""
    return Limits.read(await read_choice(connection, tenant_id, CHOICE))
