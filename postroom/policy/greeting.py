"""Whoever is written to for the first time becomes a contact, with the address that was given."""

from collections.abc import Sequence
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection
from postroom.policy.reading import Candidate

# In the order of names, so that two pages never wait for each other in a ring. What is known already stays.
GREET = """
INSERT INTO contacts (tenant_id, user_id, addresses)
SELECT %(tenant_id)s, user_id, addresses
FROM unnest(%(users)s::text[], %(addresses)s::jsonb[]) AS g (user_id, addresses)
ORDER BY user_id
ON CONFLICT DO NOTHING
"""


# Channels on which a person has no address of their own: the inbox goes by name, a webhook is the tenant's.
ADDRESSLESS = frozenset({ChannelKind.IN_APP, ChannelKind.WEBHOOK})


async def greet(connection: Connection, tenant_id: UUID, channel: ChannelKind, candidates: Sequence[Candidate]) -> None:
    """Write the contacts of those nobody knew; an address given inline is theirs from now on."""
    given: dict[str, dict[str, str]] = {}
    for one in candidates:
        if not one.row["known"] and one.row["notification_id"]:  # a task writes to contacts alone: this one was deleted
            given.setdefault(one.row["user_id"], {} if channel in ADDRESSLESS else {channel.value: one.address})
    if given:
        addresses = [Jsonb(mine) for mine in given.values()]
        await connection.execute(GREET, {"tenant_id": tenant_id, "users": list(given), "addresses": addresses})
