"""Takes a person off the lists of people that schedules and their runs name."""

from collections.abc import Mapping
from typing import Any

from postroom.database.engine import Connection

# No index finds a name inside a list, so that all schedules of one tenant are looked at, a thousand at most, and the
# runs that are at work: one that has ended names nobody.
STRIKE = """
UPDATE {table} SET user_ids = array_remove(user_ids, %(user_id)s)
WHERE id IN (SELECT id FROM {table} WHERE {naming} AND tenant_id = %(tenant_id)s AND %(user_id)s = ANY(user_ids)
             ORDER BY id FOR NO KEY UPDATE)
"""
# In this order, as a firing locks them.
NAMING = {"schedules": "user_ids IS NOT NULL", "schedule_runs": "state = 'running'"}


async def strike(connection: Connection, person: Mapping[str, Any]) -> None:
    """Strike somebody, `tenant_id` and `user_id`, from every list; a run at work goes on without them."""
    for table, naming in NAMING.items():
        await connection.execute(STRIKE.format(table=table, naming=naming), person)
