"""Files of contacts on a real server: whoever dies, the file is written once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from temporalio.client import Client, WorkflowExecutionStatus

from postroom.contact_files.importing import Importer
from postroom.contact_files.poking import FilePoker
from postroom.contact_files.receiving import PIECE_ROWS
from postroom.contracts.contact_files import FileStanding
from postroom.database.engine import Database
from postroom.identity import file_workflow_id
from postroom.timing import Timing
from tests.fixtures.contact_files import EVERYONE, FileDesk, file_work
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change, rows
from tests.fixtures.waiting import until
from workflows.engine import connect
from workflows.starters import file_starter

TIMING = Timing()
PATIENCE = 30
PIECES = 6
FILE = "user_id,email,tags\n" + "".join(f"p{number},p{number}@shop.de,vip\n" for number in range(PIECES * PIECE_ROWS))


class Stopping(Importer):
    """Stands still before its third piece, as a process does that is frozen, and says so."""

    async def step(self, tenant_id: UUID, job_id: UUID) -> FileStanding:
        statement = "SELECT position FROM contact_files WHERE job_id = %s"
        [row] = await rows(self.database, statement, job_id)
        if row["position"] >= 2:
            await asyncio.sleep(3_600)
        return await super().step(tenant_id, job_id)


@asynccontextmanager
async def poked(client: Client, database: Database) -> AsyncIterator[FilePoker]:
    poker = FilePoker(database, file_starter(client), TIMING)
    assert await poker.round() == 1
    yield poker


async def test_a_file_is_written_by_its_workflow(database: Database, tenants: Tenants, engine: Client) -> None:
    desk = FileDesk(database, tenants.alice)
    job = await desk.take(FILE)
    handle = engine.get_workflow_handle(file_workflow_id(tenants.alice.slug, job))
    async with file_work(engine, database, TIMING), poked(engine, database) as poker:
        assert (await handle.result())["state"] == "done"
        history = str((await handle.fetch_history()).events)
        assert await poker.round() == 0
    assert await desk.counts(job) == {"created": PIECES * PIECE_ROWS}
    assert "p17" not in history
    exported = (await desk.files.export(desk.identity, EVERYONE, None)).job_id
    handle = engine.get_workflow_handle(file_workflow_id(tenants.alice.slug, exported))
    async with file_work(engine, database, TIMING), poked(engine, database):
        assert (await handle.result())["done"] == PIECES * PIECE_ROWS


async def test_a_worker_that_ends_in_the_middle_is_followed_by_another(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    desk = FileDesk(database, tenants.alice)
    job = await desk.take(FILE)

    async def begun() -> bool:
        return len(await desk.contacts()) >= 2 * PIECE_ROWS

    async with poked(engine, database):
        async with file_work(engine, database, TIMING, Stopping):
            await until(begun, PATIENCE)
        assert await desk.counts(job) == {"created": 2 * PIECE_ROWS}
        beside = await connect(engine.service_client.config.target_host, engine.namespace)
        async with file_work(beside, database, TIMING):
            handle = engine.get_workflow_handle(file_workflow_id(tenants.alice.slug, job))
            assert (await handle.result())["state"] == "done"
    assert await desk.counts(job) == {"created": PIECES * PIECE_ROWS}
    assert len(await desk.contacts()) == len(await desk.tags()) == PIECES * PIECE_ROWS


async def test_a_workflow_that_an_operator_terminated_is_started_again(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    desk = FileDesk(database, tenants.alice)
    job = await desk.take("user_id\nada\n")
    handle = engine.get_workflow_handle(file_workflow_id(tenants.alice.slug, job))
    async with poked(engine, database) as poker:
        await handle.terminate("by hand")
        assert (await handle.describe()).status == WorkflowExecutionStatus.TERMINATED
        await change(database, "UPDATE contact_files SET next_poke_at = now() WHERE job_id = %s", job)
        assert await poker.round() == 1
        async with file_work(engine, database, TIMING):
            assert (await handle.result())["state"] == "done"
    assert list(await desk.contacts()) == ["ada"]


async def test_what_was_cancelled_is_cleared_away(database: Database, tenants: Tenants, engine: Client) -> None:
    desk = FileDesk(database, tenants.alice)
    job = await desk.take(FILE)
    await desk.importer.step(desk.tenant.id, job)
    await desk.files.cancel(desk.tenant.id, job)
    assert await FilePoker(database, file_starter(engine), TIMING).round() == 0
    for table in ("contact_file_pieces", "contact_file_people"):
        assert await rows(database, f"SELECT job_id FROM {table} WHERE job_id = %s", job) == []
    assert await desk.counts(job) == {"created": PIECE_ROWS}
