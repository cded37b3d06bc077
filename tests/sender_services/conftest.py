"""What the tests of sender services share: an office, and servers that do what they are told."""

from collections.abc import AsyncIterator

import pytest

from postroom.database.engine import Database
from tests.channels.email.conftest import Net
from tests.fixtures.database import Tenants
from tests.sender_services.office import Office


@pytest.fixture
async def office(database: Database, database_url: str, tenants: Tenants) -> Office:
    """Alice's."""
    opened = Office(database, database_url, tenants.alice)
    await opened.settle_in()
    return opened


@pytest.fixture
async def net() -> AsyncIterator[Net]:
    """A net of this machine only."""
    opened = Net()
    yield opened
    await opened.close()
