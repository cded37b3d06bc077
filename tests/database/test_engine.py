"""What the engine says when a statement fails: never whom it was about."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from postroom.database.engine import Database
from tests.fixtures.database import Tenants


async def test_an_error_names_nobody(database: Database, tenants: Tenants) -> None:
    with pytest.raises(DBAPIError) as failure:
        async with database.tenant_session(tenants.alice.id) as session:
            await session.execute(text("SELECT CAST(:who AS text), 1 / 0"), {"who": "ada@shop.example"})
    assert "ada@shop.example" not in str(failure.value)
