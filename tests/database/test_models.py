"""The mapped models and the migrated schema agree: names, types, nullability."""

import importlib
import pkgutil

import psycopg
import pytest
from sqlalchemy.dialects import postgresql

import postroom
from postroom.database.tables import Table

for found in pkgutil.walk_packages(postroom.__path__, "postroom."):
    if found.name.endswith(".models"):
        importlib.import_module(found.name)

COLUMNS = """
SELECT column_name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable
FROM information_schema.columns c
JOIN pg_attribute a ON a.attrelid = c.table_name::regclass AND a.attname = c.column_name
WHERE table_schema = 'public' AND table_name = %s
"""
SPELLED = {"TIMESTAMP WITH TIME ZONE": "timestamp with time zone", "TEXT[]": "text[]"}


def test_the_models_were_found() -> None:
    assert {"tenants", "notifications", "deliveries", "inbox_messages"} <= set(Table.metadata.tables)


@pytest.mark.parametrize("name", sorted(Table.metadata.tables))
def test_a_model_is_its_table(name: str, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        actual = {row[0]: (row[1], row[2]) for row in connection.execute(COLUMNS, (name,))}
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for column in Table.metadata.tables[name].columns:
        spelled = column.type.compile(dialect=dialect)
        mapped = SPELLED.get(spelled, spelled.lower())
        assert actual.get(column.name) == (mapped, bool(column.nullable)), column
