"""Begins the run of a firing, once for each (schedule, time), or notes why it brings nothing."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.contracts.recurring import Firing
from postroom.database.engine import Connection
from postroom.identity import new_id
from postroom.schedules.models import ScheduleState
from postroom.schedules.recurrence import Recurrence
from postroom.timing import Timing

# Locked against a pause: whoever pauses afterwards finds the run and ends it.
SCHEDULE = """
SELECT *, now() > %(fire_at)s + jitter + catch_up AS missed, coalesce(%(fire_at)s < resumed_at, false) AS was_paused
FROM schedules WHERE id = %(schedule_id)s FOR SHARE
"""

RUN = """
INSERT INTO schedule_runs (id, schedule_id, tenant_id, fire_at, cause, state, reason, ended_at, notice, audience,
                           user_ids, next_poke_at)
VALUES (%(id)s, %(schedule_id)s, %(tenant_id)s, %(fire_at)s, 'schedule', %(state)s, %(reason)s,
        CASE WHEN %(state)s <> 'running' THEN now() END, %(notice)s, %(audience)s, %(user_ids)s, now() + %(grace)s)
ON CONFLICT DO NOTHING RETURNING id
"""

FOUND = """
SELECT id FROM schedule_runs WHERE schedule_id = %(schedule_id)s AND fire_at = %(fire_at)s AND cause = 'schedule'
"""

Row = Mapping[str, Any]


async def open_run(connection: Connection, firing: Firing, timing: Timing) -> UUID | None:
    """Return the run of this firing, new or begun before; None when the schedule is gone."""
    asked = {"schedule_id": firing.schedule_id, "fire_at": firing.fire_at}
    row = await (await connection.execute(SCHEDULE, asked)).fetchone()
    if row is None or row["state"] == ScheduleState.DELETED:
        return None
    await connection.execute(RUN, asked | _beginning(firing, row) | {"grace": timing.watch_grace})
    run = await (await connection.execute(FOUND, asked)).fetchone()
    return None if run is None else run["id"]


def _beginning(firing: Firing, row: Row) -> dict[str, Any]:
    """Say how a run begins: with what it needs until it ends, whatever is changed meanwhile."""
    reason = _hindrance(firing, row)
    kept = reason is None
    return {
        "id": new_id(),
        "tenant_id": firing.tenant_id,
        "state": "running" if kept else "skipped",
        "reason": reason,
        "notice": Jsonb(row["notice"]) if kept else None,
        "audience": Jsonb(row["audience"]) if kept else None,
        "user_ids": row["user_ids"] if kept else None,
    }


def _hindrance(firing: Firing, row: Row) -> str | None:
    """Return why nothing is sent for this time, if so: also when it comes late, from an engine that saw no pause."""
    if row["state"] == ScheduleState.PAUSED or row["was_paused"]:
        return "paused"
    if firing.fire_at and Recurrence.read(row["recurrence"]).is_repetition(row["time_zone"], firing.fire_at):
        return "repeated_hour"
    return "missed" if row["missed"] else None
