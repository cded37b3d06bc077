"""Takes a person off the lists of people that schedules and their runs name."""

from collections.abc import Mapping
from typing import Any

from postroom.database.engine import Connection

# No index finds a name inside a list, so that all schedules of one tenant are looked at: a thousand at most.
STRIKE = """
UPDATE {table} SET user_ids = array_remove(user_ids, %(user_id)s)
WHERE id IN (SELECT id FROM {table} WHERE tenant_id = %(tenant_id)s AND %(user_id)s = ANY(user_ids) ORDER BY id
             FOR NO KEY UPDATE)
"""
TABLES = ("schedules", "schedule_runs")  # in this order, as a firing locks them


async def strike(connection: Connection, person: Mapping[str, Any]) -> None:
    """Strike somebody, `tenant_id` and `user_id`, from every list; a run at work goes on without them."""
    for table in TABLES:
        await connection.execute(STRIKE.format(table=table), person)
