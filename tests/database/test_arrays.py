"""A column arrives in Postgres as it was."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from postroom.database.arrays import Integers, Moments, Octets, Spans, Texts, Uuids
from postroom.database.engine import Database, Role

COLUMNS = [
    ("uuid", Uuids([UUID(int=7), UUID(int=2**127)])),
    ("text", Texts(["", None, "a,b", 'quo"te', "\\N", "{NULL}", "Zürich \U0001f4ee"])),
    ("bytea", Octets([b"", None, bytes(range(256)), b"x" * 100_000])),
    ("int4", Integers([0, None, -1, 2**31 - 1, -(2**31)])),
    ("timestamptz", Moments([datetime(2026, 11, 20, 20, 0, 0, 123456, UTC), None, datetime(1999, 12, 31, tzinfo=UTC)])),
    ("timestamptz", Moments([datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=5, minutes=45)))])),
    ("interval", Spans([timedelta(microseconds=1), None, timedelta(days=40, hours=7), timedelta(seconds=-3)])),
    ("text", Texts([None, None])),
    ("uuid", Uuids()),
]


@pytest.mark.parametrize(("kind", "column"), COLUMNS, ids=lambda value: repr(value)[:20])
async def test_what_goes_in_comes_out(database: Database, kind: str, column: list[object]) -> None:
    async with database.statement(Role.LEDGER) as connection:
        rows = await connection.execute(f"SELECT * FROM unnest(%(column)b::{kind}[]) AS one", {"column": column})
        assert [row["one"] async for row in rows] == column
