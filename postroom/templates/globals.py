"""The variables of a tenant that all its templates may name, such as company_name."""

from collections.abc import Mapping
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.database.engine import Connection, Database
from postroom.errors import Invalid, NotFound
from postroom.templates.variables import NAME, TAKEN
from postroom.tenants.choices import read_choice, write_choice

CHOICE = "variables"
MOST = 200

# In one statement each: of two that write different names at once, none undoes the other.
SET_ONE = """
INSERT INTO tenant_settings (tenant_id, name, value) VALUES (%(tenant_id)s, 'variables', %(one)s)
ON CONFLICT (tenant_id, name) DO UPDATE SET value = tenant_settings.value || excluded.value, updated_at = now()
RETURNING value
"""
DROP_ONE = """
UPDATE tenant_settings SET value = value - %(name)s::text, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND name = 'variables' AND value ? %(name)s::text
"""


class Globals:
    """Shared variables of one deployment's tenants; every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant_id: UUID) -> Mapping[str, str]:
        """Return a tenant's variables."""
        async with self._database.tenant_transaction(tenant_id) as connection:
            return await globals_of(connection, tenant_id)

    async def put(self, tenant_id: UUID, variables: Mapping[str, str]) -> None:
        """Replace a tenant's variables as a whole.

        Raises:
            Invalid: there are too many, or a name is none.
        """
        for name in variables:
            _check_name(name, f"/variables/{name}")
        _check_count(len(variables))
        async with self._database.tenant_transaction(tenant_id) as connection:
            await write_choice(connection, tenant_id, CHOICE, dict(variables))

    async def set_one(self, tenant_id: UUID, name: str, value: str) -> None:
        """Write one variable and leave the others.

        Raises:
            Invalid: the name is none, or it would be one too many.
        """
        _check_name(name, "")
        async with self._database.tenant_transaction(tenant_id) as connection:
            written = await connection.execute(SET_ONE, {"tenant_id": tenant_id, "one": Jsonb({name: value})})
            (row,) = await written.fetchall()
            _check_count(len(row["value"]))

    async def drop_one(self, tenant_id: UUID, name: str) -> None:
        """Remove one variable.

        Raises:
            NotFound: there is none of this name.
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            dropped = await connection.execute(DROP_ONE, {"tenant_id": tenant_id, "name": name})
        if dropped.rowcount == 0:
            raise NotFound("There is no such variable.")


async def globals_of(connection: Connection, tenant_id: UUID) -> Mapping[str, str]:
    """Return a tenant's variables, for whoever words its messages in this transaction."""
    return await read_choice(connection, tenant_id, CHOICE) or {}


def _check_name(name: str, pointer: str) -> None:
    if not NAME.fullmatch(name) or name in TAKEN:
        raise Invalid.at(pointer, "invalid_variable_name", "A variable has a name such as company_name.")


def _check_count(count: int) -> None:
    if count > MOST:
        raise Invalid(f"A tenant has at most {MOST} variables.", code="too_many_variables")
