"""A template is found by an index on its own row: a tenant with thousands waits no longer than one with two."""

import re

import pytest

from postroom.database.engine import Database
from postroom.templates import repository, resolving
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change

MANY = 2_000
TEMPLATES = """
INSERT INTO templates (tenant_id, name, channel)
SELECT %s, 'n' || number, 'email' FROM generate_series(1, %s) number
"""
VERSIONS = """
INSERT INTO template_versions (template_id, version, tenant_id, content, variables, content_hash)
SELECT id, 1, tenant_id, '{}', '[]', sha256('x') FROM templates WHERE tenant_id = %s
"""
SEEN = re.compile(r"(?:\brows=|Removed by (?:Filter|Index Recheck): )([0-9.]+)")
PARAMETERS = {"%(tenant_id)s": "$1", "%(id)s": "$2", "%(name)s": "$3"}


@pytest.mark.parametrize("statement", [resolving.ONE, repository.FIND, repository.LOCK])
async def test_no_other_template_is_looked_at(database: Database, tenants: Tenants, statement: str) -> None:
    await change(database, TEMPLATES, tenants.alice.id, MANY)
    await change(database, VERSIONS, tenants.alice.id)
    for name, number in PARAMETERS.items():
        statement = statement.replace(name, number)
    asked = f"EXPLAIN (ANALYZE, COSTS OFF) EXECUTE found ('{tenants.alice.id}', NULL, 'n77')"
    async with database.tenant_transaction(tenants.alice.id) as connection:
        await connection.execute(f"PREPARE found (uuid, uuid, text) AS {statement}")
        lines = await (await connection.execute(asked)).fetchall()
        await connection.execute("DEALLOCATE found")
    plan = "\n".join(line["QUERY PLAN"] for line in lines)
    assert "on templates t" in plan
    assert [count for count in SEEN.findall(plan) if float(count) > 10] == [], plan
