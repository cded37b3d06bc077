"""The shapes the workflow of digests can take, each played once on a real server so that its history can be kept."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio.client import Client

from postroom.database.engine import Database
from postroom.digests.service import Digests
from tests.digests.ground import Ground
from tests.digests.workshop import workshop
from tests.fixtures.rows import Draft
from tests.replay.shapes import Runs

PAGE = 21  # one more than have a workflow each


def soon(wait: timedelta = timedelta(seconds=2)) -> datetime:
    """A moment that is worth a timer."""
    return datetime.now(UTC) + wait


async def told(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Waits for its time on a timer, then closes."""
    ground = Ground(database, tenant_id, "alice")
    await ground.waits(Draft(tenant_id, user_id="ada-lovelace"), soon())
    async with workshop(engine, database) as shop:
        run = await shop.asleep((await ground.digest())["id"])
        assert await run.result() == {"sent": 1}
    return {"digest_told": run}


async def closed_by_hand(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """A signal ends the wait."""
    ground = Ground(database, tenant_id, "alice")
    await ground.waits(Draft(tenant_id, user_id="ada-lovelace"), soon(timedelta(days=2)))
    async with workshop(engine, database) as shop:
        digest = (await ground.digest())["id"]
        run = await shop.asleep(digest)
        await Digests(database).close(tenant_id, digest)
        await shop.poker.round()
        assert await run.result() == {"sent": 1}
    return {"digest_by_hand": run}


async def paged(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Many that close at one instant share a run."""
    ground, at = Ground(database, tenant_id, "alice"), soon(timedelta(seconds=5))
    for number in range(PAGE):
        await ground.waits(Draft(tenant_id, user_id=f"ada-lovelace-{number}"), at)
    async with workshop(engine, database) as shop:
        run = await shop.asleep((await ground.digests())[0]["id"])
        assert await run.result() == {"sent": PAGE}
    return {"digest_page": run}


DIGEST_SHAPES: Sequence[Callable[[Client, Database, UUID], Awaitable[Runs]]] = (told, closed_by_hand, paged)
