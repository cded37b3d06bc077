"""The in-app inbox: the provider is our own database, so its answer is always to be had."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg import Error as DatabaseError

from postroom.channels.base import Answer, Evidence, Mark, Parcel, Phase, Suspect, Verdict
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.errors import Unavailable

PROVIDER = "inbox"

# Unique per delivery: a second copy of the same message cannot exist, whoever writes it.
PUT = """
INSERT INTO inbox_messages (tenant_id, user_id, notification_id, delivery_id, notification_type, title, body_text,
                            body_html)
VALUES (%(tenant_id)s, %(user_id)s, %(notification_id)s, %(delivery_id)s, %(notification_type)s, %(title)s,
        %(body_text)s, %(body_html)s)
ON CONFLICT (delivery_id) DO NOTHING
"""

THERE = "SELECT delivery_id FROM inbox_messages WHERE delivery_id = ANY(%(ids)s)"


class InAppChannel:
    """Puts messages into a person's inbox."""

    kind = ChannelKind.IN_APP

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:
        """Mark, insert, done; a database that goes away in between leaves the outcome unknown."""
        if not await mark(None, PROVIDER):
            return Answer(Verdict.WITHDRAWN, Phase.MARK, "withdrawn", PROVIDER)
        try:
            async with self._database.tenant_transaction(parcel.tenant_id) as connection:
                await connection.execute(
                    PUT,
                    {
                        "tenant_id": parcel.tenant_id,
                        "user_id": parcel.address,
                        "notification_id": parcel.notification_id,
                        "delivery_id": parcel.delivery_id,
                        "notification_type": parcel.notification_type,
                        "title": parcel.title,
                        "body_text": parcel.body_text,
                        "body_html": parcel.body_html,
                    },
                )
        except (DatabaseError, Unavailable):
            return Answer(Verdict.UNKNOWN, Phase.ANSWER, "no_answer", PROVIDER)
        return Answer(Verdict.ACCEPTED, Phase.ANSWER, "accepted", PROVIDER)

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:
        """Look into the inbox itself."""
        found: set[UUID] = set()
        for tenant_id in sorted({suspect.tenant_id for suspect in suspects}):
            ids = [suspect.delivery_id for suspect in suspects if suspect.tenant_id == tenant_id]
            async with self._database.tenant_transaction(tenant_id) as connection:
                rows = await connection.execute(THERE, {"ids": ids})
                found |= {row["delivery_id"] async for row in rows}
        return {
            suspect.delivery_id: Evidence.FOUND if suspect.delivery_id in found else Evidence.ABSENT
            for suspect in suspects
        }

    async def close(self) -> None:
        """Nothing is held open."""
