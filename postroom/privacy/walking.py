"""Which notifications tell of a person: those to them, and those that tell endpoints about them; a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from postroom.database.engine import Connection
from postroom.privacy.holdings import Tie, tied_by

FIRST = UUID(int=0)

PAGE = """
SELECT id FROM (
    (SELECT id FROM notifications
     WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s AND id > %(after)s ORDER BY id LIMIT %(limit)s)
    UNION
    (SELECT notification_id FROM webhook_messages
     WHERE tenant_id = %(tenant_id)s AND data ->> 'user_id' = %(user_id)s AND notification_id > %(after)s
     ORDER BY notification_id LIMIT %(limit)s)
) found ORDER BY id LIMIT %(limit)s
"""

COUNT = """
SELECT (SELECT count(*) FROM notifications WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s)
     + (SELECT count(*) FROM webhook_messages WHERE tenant_id = %(tenant_id)s AND data ->> 'user_id' = %(user_id)s)
     + (SELECT count(*) FROM task_recipients WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s)
    AS count
"""

RECIPIENTS = """
SELECT delivery_id AS id FROM task_recipients
WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s AND delivery_id > %(after)s
ORDER BY delivery_id LIMIT %(limit)s
"""

KNOWN = " OR ".join(
    f"EXISTS (SELECT FROM {table} WHERE tenant_id = %(tenant_id)s AND {column} = %(user_id)s)"
    for table, column in (
        ("notifications", "user_id"),
        ("inbox_messages", "user_id"),
        ("webhook_messages", "data ->> 'user_id'"),
        *((holding.table, "user_id") for holding in tied_by(Tie.PERSON)),
    )
)


class Walk(StrEnum):
    """What an export goes through, one after the other."""

    NOTIFICATIONS = "notifications"
    RECIPIENTS = "recipients"


class Kind(StrEnum):
    """What is done for a person."""

    EXPORT = "export"
    ERASURE = "erasure"


@dataclass(frozen=True, slots=True)
class Task:
    """A job for one person, locked by who works on it, and how far the walk through their notifications is."""

    job_id: UUID
    tenant_id: UUID
    kind: Kind
    user_id: str
    person_hash: bytes
    done: int
    chunks: int
    walked_to: UUID | None
    walk: Walk
    total: int
    now: datetime

    @property
    def person(self) -> dict[str, object]:
        """Name the person to a statement."""
        return {"tenant_id": self.tenant_id, "user_id": self.user_id}

    @classmethod
    def of(cls, row: dict[str, object]) -> Self:
        """Take a row."""
        values: dict[str, object] = {**row, "kind": Kind(str(row["kind"])), "walk": Walk(str(row["walk"]))}
        return cls(**values)  # type: ignore[arg-type]  # the statement names the columns


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one step came: where the walk stands, what it did, and whether that was all of it.

    `waiting` says that somebody else has to do something first: then the walk begins again after a while.
    """

    walked_to: UUID | None
    done: int
    chunks: int = 0
    ended: bool = False
    walk: Walk = Walk.NOTIFICATIONS
    waiting: bool = False


async def next_page(connection: Connection, task: Task, limit: int) -> Sequence[UUID]:
    """Return the ids of the next notifications that tell of the person, in order; none at the end of the walk."""
    asked = {**task.person, "after": task.walked_to or FIRST, "limit": limit}
    return [row["id"] async for row in await connection.execute(PAGE, asked)]


async def next_recipients(connection: Connection, task: Task, limit: int) -> Sequence[UUID]:
    """Return the ids of the next deliveries to the person by bulk sends, in order; none at the end of the walk."""
    asked = {**task.person, "after": task.walked_to or FIRST, "limit": limit}
    return [row["id"] async for row in await connection.execute(RECIPIENTS, asked)]


async def count(connection: Connection, tenant_id: UUID, user_id: str) -> int:
    """Count the notifications that tell of a person, and the bulk sends they are in."""
    row = await (await connection.execute(COUNT, {"tenant_id": tenant_id, "user_id": user_id})).fetchone()
    return int(row["count"]) if row else 0


async def is_known(connection: Connection, tenant_id: UUID, user_id: str) -> bool:
    """Whether a tenant's rows name this person at all."""
    asked = {"tenant_id": tenant_id, "user_id": user_id}
    row = await (await connection.execute(f"SELECT {KNOWN} AS known", asked)).fetchone()
    return bool(row and row["known"])
