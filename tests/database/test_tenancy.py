"""A tenant sees its own rows and no others; each role can do what it was granted and nothing more."""

from uuid import UUID

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text

from postroom.database.engine import Database, Role
from tests.fixtures.database import Tenant, Tenants

APPEND_ONLY = ["delivery_attempts", "notification_events", "person_events"]
PLAIN_ROLES = [Role.APP, Role.SYSTEM, Role.LEDGER, Role.ACCEPT]

GRANTS = """
    SELECT string_agg(DISTINCT privilege_type, ',' ORDER BY privilege_type)
    FROM information_schema.role_table_grants WHERE grantee = %s AND table_name = %s
"""


async def contact_of(database: Database, tenant: Tenant, user_id: str) -> None:
    async with database.tenant_transaction(tenant.id) as connection:
        await connection.execute("INSERT INTO contacts (tenant_id, user_id) VALUES (%s, %s)", (tenant.id, user_id))


async def visible_tenants(database: Database, tenant_id: UUID) -> set[UUID]:
    async with database.tenant_transaction(tenant_id) as connection:
        rows = await (await connection.execute("SELECT tenant_id FROM contacts")).fetchall()
    return {row["tenant_id"] for row in rows}


async def test_a_tenant_sees_its_own_rows_only(database: Database, tenants: Tenants) -> None:
    await contact_of(database, tenants.alice, "ada")
    await contact_of(database, tenants.decoy, "ada")

    assert await visible_tenants(database, tenants.alice.id) == {tenants.alice.id}
    async with database.tenant_session(tenants.decoy.id) as session:
        assert set(await session.scalars(text("SELECT tenant_id FROM contacts"))) == {tenants.decoy.id}
    async with database.system_transaction() as connection:
        rows = await (await connection.execute("SELECT tenant_id FROM contacts")).fetchall()
    assert {row["tenant_id"] for row in rows} >= {tenants.alice.id, tenants.decoy.id}


async def test_no_tenant_named_sees_nothing_and_is_no_error(database: Database, tenants: Tenants) -> None:
    await contact_of(database, tenants.alice, "ada")
    async with database.transaction(Role.APP) as connection:
        assert await (await connection.execute("SELECT * FROM contacts")).fetchall() == []
        await connection.execute("SELECT set_config('app.tenant_id', '', true)")
        assert await (await connection.execute("SELECT * FROM contacts")).fetchall() == []


async def test_the_tenant_of_one_transaction_is_forgotten_by_the_next(database: Database, tenants: Tenants) -> None:
    await contact_of(database, tenants.alice, "ada")
    for _ in range(16):  # more than the pool holds: every connection has served the tenant or will
        await visible_tenants(database, tenants.alice.id)
        async with database.transaction(Role.APP) as connection:
            assert await (await connection.execute("SELECT * FROM contacts")).fetchall() == []


async def test_a_tenant_cannot_write_for_another(database: Database, tenants: Tenants) -> None:
    await contact_of(database, tenants.decoy, "ada")
    async with database.tenant_transaction(tenants.alice.id) as connection:
        touched = await connection.execute("UPDATE contacts SET language = 'xx' WHERE user_id = 'ada'")
        assert touched.rowcount == 0
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        async with database.tenant_transaction(tenants.alice.id) as connection:
            await connection.execute(
                "INSERT INTO contacts (tenant_id, user_id) VALUES (%s, 'mallory')", (tenants.decoy.id,)
            )


@pytest.mark.parametrize("role", PLAIN_ROLES)
async def test_a_role_owns_nothing_and_passes_no_policy(database: Database, role: Role) -> None:
    async with database.transaction(role) as connection:
        row = await (
            await connection.execute(
                "SELECT current_user AS name, rolsuper OR rolbypassrls OR rolcreaterole AS powerful, "
                "(SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = current_user) AS owned "
                "FROM pg_roles WHERE rolname = current_user"
            )
        ).fetchone()
    assert row == {"name": role, "powerful": False, "owned": 0}


async def test_every_table_forces_its_policies(database: Database) -> None:
    async with database.system_transaction() as connection:
        rows = await (
            await connection.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
                "AND NOT (relrowsecurity AND relforcerowsecurity)"
            )
        ).fetchall()
    assert [row["relname"] for row in rows] == ["alembic_version"]


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("role", PLAIN_ROLES)
@pytest.mark.parametrize("statement", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}", "TRUNCATE {}"])
async def test_what_happened_is_never_rewritten(database: Database, table: str, role: Role, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        async with database.transaction(role) as connection:
            await connection.execute(statement.format(table).encode())


@pytest.mark.parametrize(
    ("role", "table", "granted"),
    [
        (Role.LEDGER, "deliveries", "SELECT"),
        (Role.LEDGER, "delivery_attempts", "INSERT"),
        (Role.LEDGER, "delivery_messages", "INSERT"),
        (Role.LEDGER, "provider_usage", "INSERT,SELECT"),
        (Role.LEDGER, "notifications", None),
        (Role.LEDGER, "contacts", None),
        (Role.ACCEPT, "notifications", "INSERT"),
        (Role.ACCEPT, "blobs", "INSERT"),
        (Role.ACCEPT, "deliveries", None),
        (Role.ACCEPT, "contacts", None),
        (Role.ACCEPT, "api_keys", None),
        (Role.APP, "tenants", "SELECT"),
        (Role.APP, "delivery_attempts", "INSERT,SELECT"),
        (Role.APP, "provider_usage", "SELECT"),
        (Role.SYSTEM, "provider_usage", "SELECT"),
    ],
)
async def test_a_role_holds_its_grants_and_no_more(
    database_url: str, role: Role, table: str, granted: str | None
) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        row = await (await connection.execute(GRANTS.encode(), (role, table))).fetchone()
    assert row == (granted,)


async def test_the_ledger_role_cannot_touch_other_columns(database: Database) -> None:
    for statement in ("UPDATE deliveries SET address = 'x'", "UPDATE deliveries SET tenant_id = NULL"):
        with pytest.raises(InsufficientPrivilege):
            async with database.transaction(Role.LEDGER) as connection:
                await connection.execute(statement.encode())
    async with database.transaction(Role.LEDGER) as connection:
        await connection.execute("UPDATE deliveries SET reason = reason WHERE false")


async def test_the_accepting_role_cannot_read_what_was_accepted(database: Database) -> None:
    for statement in ("SELECT * FROM notifications", "SELECT content FROM blobs", "SELECT * FROM idempotency_keys"):
        with pytest.raises(InsufficientPrivilege):
            async with database.transaction(Role.ACCEPT) as connection:
                await connection.execute(statement.encode())
