"""A receiver and a sending side for the tests of webhooks."""

from collections.abc import AsyncIterator

import pytest

from postroom.database.engine import Database
from tests.fixtures.receiver import Receiver, receiving
from tests.fixtures.webhooks import Exchange, exchanging


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that says thank you until told otherwise."""
    async with receiving() as running:
        yield running


@pytest.fixture
async def exchange(database: Database, receiver: Receiver) -> AsyncIterator[Exchange]:
    """Endpoints and the channel that serves them."""
    async with exchanging(database, receiver) as opened:
        yield opened
