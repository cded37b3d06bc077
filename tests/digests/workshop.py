"""The worker that closes digests, and the poker that starts its workflows, around a test's database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.client import Client, WorkflowHandle

from activities.digests import DigestActivities
from postroom.database.engine import Database
from postroom.digests.poker import DigestPoker
from postroom.rendering.renderer import Renderer
from postroom.timing import Timing
from tests.fixtures.rows import rows
from workflows.starters import digest_starter
from workflows.workers import digests_worker

PATIENCE = 30
TIMING = Timing()

CLOSING = "SELECT c.* FROM closings c JOIN digests g ON g.closing_id = c.id WHERE g.id = %s"


@dataclass(frozen=True, slots=True)
class Workshop:
    """Workers of one test, and what they know of its digests."""

    client: Client
    database: Database
    poker: DigestPoker

    async def closing(self, digest_id: UUID) -> dict[str, Any]:
        """The row of the closing of a digest."""
        return (await rows(self.database, CLOSING, digest_id))[0]

    async def handle(self, digest_id: UUID) -> WorkflowHandle[Any, Any]:
        """The run that will close a digest, by its run id."""
        latest = self.client.get_workflow_handle(str((await self.closing(digest_id))["workflow_id"]))
        return self.client.get_workflow_handle(latest.id, run_id=(await latest.describe()).run_id)

    async def asleep(self, digest_id: UUID) -> WorkflowHandle[Any, Any]:
        """Poke, wait until the workflow has looked, and return its run."""
        await self.poker.round()
        async with asyncio.timeout(PATIENCE):
            while (await self.closing(digest_id))["owed"]:  # noqa: ASYNC110 - a row has no event
                await asyncio.sleep(0.02)
        return await self.handle(digest_id)


@asynccontextmanager
async def workshop(client: Client, database: Database) -> AsyncIterator[Workshop]:
    """Run the real worker in this process."""
    poker = DigestPoker(database, digest_starter(client, TIMING), TIMING)
    async with digests_worker(client, DigestActivities(database, Renderer(1), TIMING), timedelta(seconds=1)):
        yield Workshop(client, database, poker)
