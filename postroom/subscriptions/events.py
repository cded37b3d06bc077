"""The record of what people, and the tenant in their name, changed about what they hear of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from postroom.database.engine import Connection
from postroom.subscriptions.preference import Author

INSERT = """
INSERT INTO preference_events (tenant_id, user_id, api_key_id, subject, notification_type, channel, before, after)
VALUES (%(tenant_id)s, %(user_id)s, %(api_key_id)s, %(subject)s, %(notification_type)s, %(channel)s, %(before)s,
        %(after)s)
"""
LIST = """
SELECT at, api_key_id, subject, notification_type, channel, before, after FROM preference_events
WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s ORDER BY id DESC LIMIT %(count)s
"""


@dataclass(frozen=True, slots=True)
class Notebook:
    """Notes changes about one person, within the transaction that makes them."""

    connection: Connection
    tenant_id: UUID
    user_id: str
    author: Author

    async def preference(self, place: tuple[str, str], before: object, after: object) -> None:
        """Note that a preference is another one, or is gone."""
        await self._write("preference", (before, after), place)

    async def consent(self, channel: str, before: object, after: object) -> None:
        """Note that consent to marketing was given or withdrawn."""
        await self._write("consent", (before, after), (None, channel))

    async def pause(self, before: object, after: object) -> None:
        """Note that everything waits, or does no longer."""
        await self._write("pause", (before, after))

    async def quiet_hours(self, before: object, after: object) -> None:
        """Note that the person's quiet hours are others."""
        await self._write("quiet_hours", (before, after))

    async def _write(
        self, subject: str, change: tuple[object, object], place: tuple[str | None, str | None] = (None, None)
    ) -> None:
        before, after = (None if one is None else Jsonb(one) for one in change)
        values = {
            "tenant_id": self.tenant_id,
            "user_id": self.user_id,
            "api_key_id": self.author.api_key_id,
            "subject": subject,
            "notification_type": place[0],
            "channel": place[1],
            "before": before,
            "after": after,
        }
        await self.connection.execute(INSERT, values)


async def events_of(connection: Connection, tenant_id: UUID, person: tuple[str, int]) -> Sequence[Mapping[str, Any]]:
    """Return the latest changes about a person, newest first; `person` is who, and how many changes."""
    user_id, count = person
    return await (
        await connection.execute(LIST, {"tenant_id": tenant_id, "user_id": user_id, "count": count})
    ).fetchall()
