"""A tenant's policy, as the API reads and writes it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from postroom.database.engine import Database
from postroom.policy.house import CHOICE, House
from postroom.tenants.choices import read_choice, write_choice


class Policies:
    """The policies of one deployment's tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant_id: UUID) -> House:
        """Return what holds for a tenant, chosen or not."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            return House.read(await read_choice(connection, tenant_id, CHOICE))

    async def put(self, tenant_id: UUID, chosen: Mapping[str, Any]) -> House:
        """Replace what a tenant chose; it counts from the next decision on, for what waits at its next look."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            await write_choice(connection, tenant_id, CHOICE, chosen)
        return House.read(chosen)
