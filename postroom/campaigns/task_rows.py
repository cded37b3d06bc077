"""Statements about tasks and their events, inside a tenant's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.sql import SQL, Identifier, Placeholder
from psycopg.types.json import Jsonb

from postroom.campaigns.models import Task, TaskEvent
from postroom.contracts.vocabulary import TaskState
from postroom.database.engine import Connection
from postroom.tenants.gate import Identity

Window = tuple[Any, int]  # where the rows start, or None; and how many
Values = Mapping[str, Any]

# The column of a field is called like it, but for the word that Python keeps for itself.
COLUMNS = ", ".join("class AS message_class" if one.name == "message_class" else one.name for one in fields(Task))
JSON = frozenset({"rule", "content", "sender", "plan", "pace", "tracking", "pinned", "totals"})

FIND = f"SELECT {COLUMNS} FROM campaign_tasks WHERE id = %s"
LOCK = f"{FIND} FOR NO KEY UPDATE"
LIST = f"""
SELECT {COLUMNS} FROM campaign_tasks
WHERE tenant_id = %(tenant_id)s AND (%(after)s::uuid IS NULL OR id < %(after)s)
    AND (%(campaign_id)s::uuid IS NULL OR campaign_id = %(campaign_id)s)
    AND (%(state)s::text IS NULL OR state = %(state)s)
ORDER BY id DESC LIMIT %(count)s
"""
IN_CAMPAIGN = f"SELECT {COLUMNS} FROM campaign_tasks WHERE campaign_id = %(id)s AND state = ANY(%(states)s) ORDER BY id"
LOCK_IN_CAMPAIGN = f"{IN_CAMPAIGN} FOR NO KEY UPDATE"
REMOVE = "DELETE FROM campaign_tasks WHERE id = %s"
NOTE = """
INSERT INTO task_events (task_id, tenant_id, kind, reason, api_key_id, detail)
VALUES (%(task_id)s, %(tenant_id)s, %(kind)s, %(reason)s, %(key_id)s, %(detail)s)
"""
EVENTS = """
SELECT id, at, kind, reason, api_key_id, detail FROM task_events
WHERE task_id = %(task_id)s AND (%(after)s::bigint IS NULL OR id < %(after)s) ORDER BY id DESC LIMIT %(count)s
"""


@dataclass(frozen=True, slots=True)
class TaskFilters:
    """Which tasks a list shows; None shows them all."""

    campaign_id: UUID | None = None
    state: TaskState | None = None


async def find(connection: Connection, task_id: UUID, *, lock: bool = False) -> Task | None:
    """Return a task, locked until the end of the transaction when asked for."""
    row = await (await connection.execute(LOCK if lock else FIND, (task_id,))).fetchone()
    return Task.of(row) if row else None


async def listed(connection: Connection, tenant_id: UUID, filters: TaskFilters, window: Window) -> Sequence[Task]:
    """Return tasks, newest first."""
    asked = {
        "tenant_id": tenant_id,
        "campaign_id": filters.campaign_id,
        "state": filters.state,
        "after": window[0],
        "count": window[1],
    }
    return [Task.of(row) async for row in await connection.execute(LIST, asked)]


async def tasks_of(
    connection: Connection, campaign_id: UUID, states: frozenset[TaskState], *, lock: bool = False
) -> Sequence[Task]:
    """Return the tasks of a campaign that are in one of some states, the oldest first, locked when asked for."""
    asked = {"id": campaign_id, "states": sorted(states)}
    return [Task.of(row) async for row in await connection.execute(LOCK_IN_CAMPAIGN if lock else IN_CAMPAIGN, asked)]


async def add(connection: Connection, values: Values) -> None:
    """Insert a task; the keys are columns."""
    names = list(values)
    statement = SQL("INSERT INTO campaign_tasks ({}) VALUES ({})").format(
        SQL(", ").join(map(Identifier, names)), SQL(", ").join(map(Placeholder, names))
    )
    await connection.execute(statement, _adapted(values))


async def change(connection: Connection, task_id: UUID, values: Values) -> None:
    """Change a task; the keys are columns."""
    pairs = [SQL("{} = {}").format(Identifier(name), Placeholder(name)) for name in values]
    statement = SQL("UPDATE campaign_tasks SET {}, updated_at = now() WHERE id = {}").format(
        SQL(", ").join(pairs), Placeholder("task_id")
    )
    await connection.execute(statement, {**_adapted(values), "task_id": task_id})


async def remove(connection: Connection, task_id: UUID) -> None:
    """Delete a task that was never launched; what was done with it stays on record."""
    await connection.execute(REMOVE, (task_id,))


async def moment(connection: Connection) -> datetime:
    """Return the moment of this transaction."""
    [row] = await (await connection.execute("SELECT now() AS now")).fetchall()
    now: datetime = row["now"]
    return now


async def note(connection: Connection, task: Task, who: Identity, told: tuple[str, str | None, Values]) -> None:
    """Append to the record what a key did; `told` is the kind, the reason, and what else there is to say."""
    kind, reason, detail = told
    values = {"task_id": task.id, "tenant_id": task.tenant_id, "kind": kind, "reason": reason, "key_id": who.key_id}
    await connection.execute(NOTE, {**values, "detail": Jsonb(detail)})


async def events_of(connection: Connection, task_id: UUID, window: Window) -> Sequence[TaskEvent]:
    """Return what was done with a task, newest first."""
    asked = {"task_id": task_id, "after": window[0], "count": window[1]}
    return [TaskEvent(**row) async for row in await connection.execute(EVENTS, asked)]


def _adapted(values: Values) -> dict[str, Any]:
    return {name: Jsonb(value) if name in JSON and value is not None else value for name, value in values.items()}
