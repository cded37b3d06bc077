"""Pins the template of a run: the newest approved version when it fires speaks to the last page as to the first."""

from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.database.engine import Database
from postroom.errors import Invalid
from postroom.schedules.models import RunState
from postroom.schedules.notice import Notice
from postroom.schedules.paging import end_run
from postroom.schedules.pins import spelled
from postroom.schedules.references import resolve_for_all

UNPINNED = "SELECT notice FROM schedule_runs WHERE id = %(run_id)s AND state = 'running' AND pinned IS NULL"
PIN = "UPDATE schedule_runs SET pinned = %(pinned)s WHERE id = %(run_id)s AND state = 'running' AND pinned IS NULL"


async def pin_run(database: Database, tenant_id: UUID, run_id: UUID) -> None:
    """Choose the versions a run speaks with, once; a run whose template may not be sent any more fails by its name."""
    async with database.tenant_transaction(tenant_id) as connection:
        row = await (await connection.execute(UNPINNED, {"run_id": run_id})).fetchone()
    if row is None or (notice := Notice.read(row["notice"])).use is None:
        return
    try:
        found, refusal = await resolve_for_all(database, tenant_id, notice), None
    except Invalid as error:
        found, refusal = None, error.code
    async with database.tenant_transaction(tenant_id) as connection:
        if refusal is not None:
            await end_run(connection, run_id, RunState.FAILED, refusal)
        elif found is not None:
            await connection.execute(PIN, {"run_id": run_id, "pinned": Jsonb(spelled(found))})
