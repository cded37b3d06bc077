"""How many people the rule of a task means at this moment."""

from postroom.audiences.rules import compile_rule
from postroom.campaigns.models import Task
from postroom.database.engine import Connection

COUNT = "SELECT count(*) AS people FROM contacts k WHERE "


async def count_audience(connection: Connection, task: Task) -> int:
    """Count them; who may not get it is among them, for that is decided when it is sent."""
    selection = compile_rule(task.rule, task.tenant_id)
    [row] = await (await connection.execute(COUNT + selection.sql, selection.parameters)).fetchall()
    return int(row["people"])
