"""The tasks that are reported on, as their rows describe them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from postroom.contracts.vocabulary import FINAL_TASK_STATES
from postroom.database.engine import Connection
from postroom.errors import Invalid, NotFound
from postroom.statistics.question import LONGEST, Bucket

BY_MINUTE, BY_HOUR = timedelta(hours=3), timedelta(days=14)

COLUMNS = """
SELECT id, campaign_id, name, channel, state, reason, pinned, held_until, held_reason, launched_at, started_at,
    ended_at, now() AS as_of FROM campaign_tasks
"""
ONE = f"{COLUMNS} WHERE id = %(id)s"
OF_CAMPAIGN = f"{COLUMNS} WHERE campaign_id = %(id)s ORDER BY id DESC LIMIT %(limit)s"
CAMPAIGN = "SELECT id, name FROM campaigns WHERE id = %(id)s"


@dataclass(frozen=True, slots=True)
class Task:
    """One bulk send at a moment."""

    id: UUID
    campaign_id: UUID
    name: str
    channel: str
    state: str
    reason: str | None
    pinned: list[dict[str, Any]] | None
    held_until: datetime | None
    held_reason: str | None
    launched_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    as_of: datetime

    @property
    def over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.state in FINAL_TASK_STATES

    def label(self, part: int) -> str:
        """What an operator calls one of the pinned contents."""
        pinned = self.pinned or []
        return str(pinned[part].get("label") or part + 1) if part < len(pinned) else str(part + 1)


async def task_of(connection: Connection, task_id: UUID) -> Task:
    """Read a task of the tenant whose transaction this is.

    Raises:
        NotFound: there is none.
    """
    row = await (await connection.execute(ONE, {"id": task_id})).fetchone()
    if row is None:
        raise NotFound("There is no such task.")
    return Task(**row)


async def tasks_of(connection: Connection, campaign_id: UUID, limit: int) -> tuple[str, list[Task]]:
    """Read a campaign's name and its tasks, newest first.

    Raises:
        NotFound: there is no such campaign.
    """
    row = await (await connection.execute(CAMPAIGN, {"id": campaign_id})).fetchone()
    if row is None:
        raise NotFound("There is no such campaign.")
    asked = {"id": campaign_id, "limit": limit}
    return row["name"], [Task(**one) async for one in await connection.execute(OF_CAMPAIGN, asked)]


def chosen_bucket(task: Task, asked: Bucket | None) -> Bucket:
    """Take the bucket that was asked for, or one that makes some hundred of them at most.

    Raises:
        Invalid: the task is too old for the one that was asked for.
    """
    age = task.as_of - (task.started_at or task.launched_at or task.as_of)
    if asked is None:
        return Bucket.MINUTE if age <= BY_MINUTE else Bucket.HOUR if age <= BY_HOUR else Bucket.DAY
    if age > LONGEST[asked]:
        detail = f"By {asked}, a task is reported for {LONGEST[asked].days} days."
        raise Invalid(detail, code="range_too_long")
    return asked
