"""A desk for the files of one tenant."""

import pytest

from postroom.database.engine import Database
from tests.fixtures.contact_files import FileDesk
from tests.fixtures.database import Tenants


@pytest.fixture
def desk(database: Database, tenants: Tenants) -> FileDesk:
    return FileDesk(database, tenants.alice)
