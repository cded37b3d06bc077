"""A provider of its own for each test."""

from uuid import uuid4

import pytest

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.limits.allowance import Meter
from tests.limits.processes import away_from_the_end


@pytest.fixture
async def meter(database: Database) -> Meter:
    """Counted from nothing, on a day that lasts as long as the test."""
    await away_from_the_end(database, "day", 20)
    return Meter(ChannelKind.EMAIL, f"relay-{uuid4().hex}")
