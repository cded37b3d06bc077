"""Takes a person off the operators who are written to when a service freezes."""

from collections.abc import Mapping, Sequence
from typing import Any

from postroom.database.engine import Connection

# A tenant has a hundred services at most, so that all of them are looked at.
STRIKE = """
UPDATE sender_services SET alert_user_ids = array_remove(alert_user_ids, %(user_id)s),
    alert_addresses = ARRAY(
        SELECT one FROM unnest(alert_addresses) AS one WHERE lower(one) <> ALL(%(addresses)s::text[]))
WHERE tenant_id = %(tenant_id)s AND (%(user_id)s = ANY(alert_user_ids) OR EXISTS (
    SELECT FROM unnest(alert_addresses) AS one WHERE lower(one) = ANY(%(addresses)s::text[])))
"""


async def strike_operator(connection: Connection, person: Mapping[str, Any], addresses: Sequence[str]) -> None:
    """Strike somebody, `tenant_id` and `user_id`, and their addresses from every service."""
    await connection.execute(STRIKE, {**person, "addresses": [address.lower() for address in addresses]})
