"""Statements about preferences and the pause of a person, inside a tenant's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection
from postroom.policy.preferences import Frequency
from postroom.subscriptions.preference import Place, Preference

FOREVER = "forever"  # the database says infinity
Pause = datetime | str | None

ALL = """
SELECT notification_type, channel, enabled, frequency, updated_at FROM preferences
WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s ORDER BY notification_type, channel
"""
# After the locks of `reconsidered` and before that of the contact, by all who write preferences or erase them.
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))"
WRITE = """
INSERT INTO preferences (tenant_id, user_id, notification_type, channel, enabled, frequency)
VALUES (%(tenant_id)s, %(user_id)s, %(notification_type)s, %(channel)s, %(enabled)s, %(frequency)s)
ON CONFLICT (tenant_id, user_id, notification_type, channel) DO UPDATE
SET enabled = excluded.enabled, frequency = excluded.frequency, updated_at = now()
"""
REMOVE = """
DELETE FROM preferences WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s
    AND notification_type = %(notification_type)s AND channel = %(channel)s
"""
PAUSE = """
SELECT CASE WHEN paused_until = 'infinity' THEN 'forever' END AS forever, nullif(paused_until, 'infinity') AS until
FROM contacts WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s
    AND paused_until > now()
"""
SET_PAUSE = """
INSERT INTO contacts (tenant_id, user_id, paused_until) VALUES (%(tenant_id)s, %(user_id)s, %(until)s::timestamptz)
ON CONFLICT (tenant_id, user_id) DO UPDATE SET paused_until = excluded.paused_until, updated_at = now()
"""
KNOWN = """
SELECT EXISTS (SELECT FROM contacts WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s)
    OR EXISTS (SELECT FROM preferences WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s)
    OR EXISTS (SELECT FROM notifications WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s) AS known
"""


async def preferences_of(connection: Connection, tenant_id: UUID, user_id: str) -> Sequence[Preference]:
    """Return what a person said."""
    found = await connection.execute(ALL, {"tenant_id": tenant_id, "user_id": user_id})
    return [_preference(row) async for row in found]


async def alone(connection: Connection, tenant_id: UUID, user_id: str) -> None:
    """Let nobody else write preferences of the person until the transaction ends."""
    await connection.execute(ALONE, {"name": f"preferences {tenant_id} {user_id}"})


async def write_preference(connection: Connection, tenant_id: UUID, user_id: str, preference: Preference) -> None:
    """Write one word of a person over what they said before."""
    values = _place(tenant_id, user_id, preference.place)
    said = {"enabled": preference.enabled, "frequency": preference.frequency}
    await connection.execute(WRITE, values | said)


async def remove_preference(connection: Connection, tenant_id: UUID, user_id: str, place: Place) -> None:
    """Forget one word of a person."""
    await connection.execute(REMOVE, _place(tenant_id, user_id, place))


async def pause_of(connection: Connection, tenant_id: UUID, user_id: str) -> Pause:
    """Return until when everything waits: None when nothing does."""
    row = await (await connection.execute(PAUSE, {"tenant_id": tenant_id, "user_id": user_id})).fetchone()
    return (row["forever"] or row["until"]) if row else None


async def write_pause(connection: Connection, tenant_id: UUID, user_id: str, until: Pause) -> None:
    """Let everything wait, or nothing; whoever has no contact yet gets one."""
    moment = "infinity" if until == FOREVER else until
    await connection.execute(SET_PAUSE, {"tenant_id": tenant_id, "user_id": user_id, "until": moment})


async def is_known(connection: Connection, tenant_id: UUID, user_id: str) -> bool:
    """Tell whether anything is known of a person: of one who was erased, nothing may be written again."""
    row = await (await connection.execute(KNOWN, {"tenant_id": tenant_id, "user_id": user_id})).fetchone()
    return bool(row and row["known"])


def _place(tenant_id: UUID, user_id: str, place: Place) -> dict[str, object]:
    return {"tenant_id": tenant_id, "user_id": user_id, "notification_type": place[0], "channel": place[1]}


def _preference(row: Mapping[str, Any]) -> Preference:
    return Preference(
        row["notification_type"], row["channel"], row["enabled"], Frequency(row["frequency"]), row["updated_at"]
    )
