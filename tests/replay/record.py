"""Records the golden histories anew: `python -m tests.replay.record`, on a real Postgres and a real Temporal."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from temporalio.client import Client

from postroom.database.engine import Database, open_database
from tests.fixtures.cluster import copied_database, end_run, new_run_folder, running_cluster
from tests.fixtures.database import POOL_SIZES, make_tenants
from tests.fixtures.engine import engine_process
from tests.replay.contact_file_shapes import CONTACT_FILE_SHAPES
from tests.replay.digest_shapes import DIGEST_SHAPES
from tests.replay.histories import FOLDER, keep
from tests.replay.recurring_shapes import RECURRING_SHAPES
from tests.replay.shapes import LONG_SHAPES, SHAPES, SUGGEST_EARLY, Runs
from tests.replay.task_shapes import LONG_TASK_SHAPES, TASK_SHAPES
from workflows.engine import connect

log = logging.getLogger(__name__)

Shape = Callable[[Client, Database, UUID], Awaitable[Runs]]


async def record(folder: Path, database_url: str) -> None:
    """Play every shape and keep the history of each of its runs."""
    async with open_database(database_url, POOL_SIZES) as database:
        await play(
            folder,
            database,
            [*SHAPES, *DIGEST_SHAPES, *RECURRING_SHAPES, *CONTACT_FILE_SHAPES, *TASK_SHAPES],
            {},
        )
        await play(folder, database, [*LONG_SHAPES, *LONG_TASK_SHAPES], SUGGEST_EARLY)


async def play(folder: Path, database: Database, shapes: Sequence[Shape], config: Mapping[str, str]) -> None:
    """Play shapes on a server of their own."""
    async with engine_process(folder, config) as address:
        engine = await connect(address, "default")
        for shape in shapes:
            tenants = await make_tenants(database)
            for name, run in (await shape(engine, database, tenants.alice.id)).items():
                keep(name, await run.fetch_history())
                log.info("kept %s", name)


def main() -> None:
    """Replace all golden histories."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    folder = new_run_folder()
    try:
        with copied_database(running_cluster(folder)) as url:
            asyncio.run(record(folder, url))
    finally:
        end_run(folder)


if __name__ == "__main__":
    main()
