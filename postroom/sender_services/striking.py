"""Takes a person off the operators who are written to when a service freezes."""

from collections.abc import Mapping
from typing import Any

from postroom.database.engine import Connection

# A tenant has a hundred services at most, so that all of them are looked at.
STRIKE = """
UPDATE sender_services SET alert_user_ids = array_remove(alert_user_ids, %(user_id)s)
WHERE tenant_id = %(tenant_id)s AND %(user_id)s = ANY(alert_user_ids)
"""


async def strike_operator(connection: Connection, person: Mapping[str, Any]) -> None:
    """Strike somebody, `tenant_id` and `user_id`, from every service."""
    await connection.execute(STRIKE, person)
