"""One office for all tests of faults, on a database of its own."""

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from postroom.database.engine import open_database
from postroom.local.postgres import EmbeddedPostgres
from tests.faults.office import Office, open_office
from tests.fixtures.cluster import copied_database
from tests.fixtures.database import POOL_SIZES


@pytest.fixture(scope="package")
async def office(cluster: EmbeddedPostgres, engine: Client) -> AsyncIterator[Office]:
    """Everything that sends, running."""
    with copied_database(cluster) as url:
        async with open_database(url, POOL_SIZES) as database, open_office(engine, database) as opened:
            yield opened
