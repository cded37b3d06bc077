"""A tenant whose people want to be told in digests."""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from postroom.database.engine import Database
from postroom.local.temporal import DYNAMIC_CONFIG, temporal_program
from tests.digests.ground import Ground
from tests.fixtures.database import Tenants
from workflows.engine import ensure_search_attributes
from workflows.payloads import data_converter


@pytest.fixture
def ground(database: Database, tenants: Tenants) -> Ground:
    """Alice's digests; the decoy has none."""
    return Ground(database, tenants.alice.id, tenants.alice.slug)


@pytest.fixture(scope="session")
async def time_machine() -> AsyncIterator[WorkflowEnvironment]:
    """A real Temporal on which each workflow has a clock of its own that a test can set forward."""
    config = DYNAMIC_CONFIG | {"frontend.WorkflowTimeSkippingEnabled": "true"}
    flags = [part for item in config.items() for part in ("--dynamic-config-value", "=".join(item))]
    async with await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=str(temporal_program()), dev_server_extra_args=flags, data_converter=data_converter
    ) as environment:
        await ensure_search_attributes(environment.client)
        with environment.with_time_skipping_disabled():  # clocks go as they do, until a test sets one
            yield environment
