"""The shapes that files of contacts can take, each played once on a real server so that its history can be kept."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from temporalio.client import Client, WorkflowHandle

from postroom.contact_files.poking import FilePoker
from postroom.database.engine import Database
from postroom.identity import file_workflow_id
from postroom.timing import Timing
from tests.fixtures.contact_files import EVERYONE, FileDesk, file_work
from tests.replay.recurring_shapes import tenant_of
from tests.replay.shapes import Runs
from workflows.starters import file_starter

TIMING = Timing()


async def imported(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """A file is written."""
    desk = FileDesk(database, await tenant_of(database, tenant_id))
    return {"imported": await _carried(engine, desk, await desk.take("user_id\nada-lovelace\n"))}


async def exported(engine: Client, database: Database, tenant_id: UUID) -> Runs:
    """Another one is made."""
    desk = FileDesk(database, await tenant_of(database, tenant_id))
    await desk.bring("user_id\nada-lovelace\n")
    return {"exported": await _carried(engine, desk, (await desk.files.export(desk.identity, EVERYONE, None)).job_id)}


async def _carried(engine: Client, desk: FileDesk, job_id: UUID) -> WorkflowHandle[object, object]:
    async with file_work(engine, desk.database, TIMING):
        await FilePoker(desk.database, file_starter(engine), TIMING).round()
        last: WorkflowHandle[object, object] = engine.get_workflow_handle(file_workflow_id(desk.tenant.slug, job_id))
        assert await last.result() == {"state": "done", "done": 1, "total": 1}
    return last


CONTACT_FILE_SHAPES: Sequence[Callable[[Client, Database, UUID], Awaitable[Runs]]] = (imported, exported)
