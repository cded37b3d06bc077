"""A template is found by an index on its own row: a tenant with thousands waits no longer than one with two."""

import re
from collections.abc import AsyncIterator

import psycopg
import pytest

from postroom.database.engine import Database, open_database
from postroom.local.postgres import EmbeddedPostgres
from postroom.templates import repository, resolving
from tests.fixtures.cluster import copied_database
from tests.fixtures.database import POOL_SIZES, Tenants, make_tenants
from tests.fixtures.rows import change

MANY = 2_000
CROWD = 800  # tenants with one template each, which is all that the planner has seen
OTHERS = "INSERT INTO tenants (slug, name) SELECT 'other-' || number, 'x' FROM generate_series(1, %s) number"
THEIRS = "INSERT INTO templates (tenant_id, name, channel) SELECT id, 'only', 'email' FROM tenants"
TEMPLATES = """
INSERT INTO templates (tenant_id, name, channel)
SELECT %s, 'n' || number, 'email' FROM generate_series(1, %s) number
"""
VERSIONS = """
INSERT INTO template_versions (template_id, version, tenant_id, content, variables, content_hash)
SELECT id, 1, tenant_id, '{}', '[]', sha256('x') FROM templates WHERE (name = 'only') = %s
"""
SEEN = re.compile(r"(?:\brows=|Removed by (?:Filter|Index Recheck): )([0-9.]+)")
PARAMETERS = {"%(tenant_id)s": "$1", "%(id)s": "$2", "%(name)s": "$3"}


@pytest.fixture(scope="module")
async def crowded(cluster: EmbeddedPostgres) -> AsyncIterator[tuple[Database, Tenants]]:
    """A database whose statistics are from before one tenant had thousands."""
    with copied_database(cluster) as url:
        async with open_database(url, POOL_SIZES) as database:
            await change(database, OTHERS, CROWD)
            await change(database, THEIRS)
            await change(database, VERSIONS, True)
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as owner:
                await owner.execute("ANALYZE templates, template_versions")
            tenants = await make_tenants(database)
            await change(database, TEMPLATES, tenants.alice.id, MANY)
            await change(database, VERSIONS, False)
            yield database, tenants


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("statement", [resolving.ONE, repository.FIND, repository.LOCK], ids=["one", "find", "lock"])
async def test_no_other_template_is_looked_at(crowded: tuple[Database, Tenants], statement: str, mode: str) -> None:
    database, tenants = crowded
    for name, number in PARAMETERS.items():
        statement = statement.replace(name, number)
    asked = f"EXPLAIN (ANALYZE, COSTS OFF) EXECUTE found ('{tenants.alice.id}', NULL, 'n77')"
    async with database.tenant_transaction(tenants.alice.id) as connection:
        await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
        await connection.execute(f"PREPARE found (uuid, uuid, text) AS {statement}")
        lines = await (await connection.execute(asked)).fetchall()
        await connection.execute("DEALLOCATE found")
    plan = "\n".join(line["QUERY PLAN"] for line in lines)
    assert "on templates t" in plan
    assert [count for count in SEEN.findall(plan) if float(count) > 10] == [], plan
