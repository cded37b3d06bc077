"""The pace of a task: how many may go now, counted over all workers by the one row of the task."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from postroom.database.engine import Connection

MINUTE = timedelta(minutes=1)
ABREAST = 250  # so many within the stay of a pass are worth one more pass beside it
BURST = timedelta(seconds=1)  # what was not used for longer is not made up for

SENDS = "SELECT pace <> '{}' AS paced, now() AS now FROM campaign_tasks WHERE id = %(task_id)s AND state = 'sending'"
STANDING = """
SELECT pace, pace_anchor AS anchor, audience - paced AS left, clock_timestamp() AS now
FROM campaign_tasks WHERE id = %(task_id)s FOR NO KEY UPDATE
"""
TAKE = "UPDATE campaign_tasks SET pace_anchor = %(anchor)s, paced = paced + %(count)s WHERE id = %(task_id)s"


@dataclass(frozen=True, slots=True)
class Grant:
    """How many may go now by which pace, from when the next are counted, and the wait for one more when none may."""

    count: int
    anchor: datetime
    wait: timedelta = timedelta(0)
    pace: Mapping[str, Any] = field(default_factory=dict)


NOBODY = Grant(0, datetime.max.replace(tzinfo=UTC), timedelta.max)  # for a task that does not send


@dataclass(frozen=True, slots=True)
class Turn:
    """How many passes a pace is worth, and how long until one that waits in place would be let through."""

    passes: int
    wait: timedelta | None = None


def turn_of(standing: Mapping[str, Any], stay: timedelta) -> Turn:
    """Say how the passes of a task take turns: those that could only wait would hold places that others need."""
    now: datetime = standing["now"]
    step = _step(standing["pace"], _left(standing, ABREAST), now)
    if step <= timedelta(0):
        return Turn(sys.maxsize)
    anchor = standing["anchor"]
    ahead = anchor - now if anchor else timedelta(0)
    return Turn(max(1, math.ceil(stay / step / ABREAST)), ahead if ahead > stay else None)


def grant(standing: Mapping[str, Any], wanted: int) -> Grant:
    """Say how many of `wanted` may go.

    The generic cell rate algorithm (ITU-T I.371): `anchor` is when the next one is due by the pace. With `finish_by`
    the pace is what is left over the time that is left, so that it catches up by itself.
    """
    now: datetime = standing["now"]
    step = _step(standing["pace"], _left(standing, wanted), now)
    if step <= timedelta(0):
        return Grant(wanted, now, pace=standing["pace"])
    anchor = max(standing["anchor"] or now, now - BURST)
    count = min(wanted, (now - anchor) // step + 1) if anchor <= now else 0
    if count:
        return Grant(count, anchor + count * step, pace=standing["pace"])
    return Grant(0, anchor, anchor - now, standing["pace"])


def _left(standing: Mapping[str, Any], wanted: int) -> int:
    """How many are still to go; when more went since the last look than it counted, these are what is left."""
    left = standing["left"] or 0
    return left if left > 0 else wanted


def _step(pace: Mapping[str, Any], left: int, now: datetime) -> timedelta:
    """The time between two; nothing when there is no pace, or its end has come."""
    if per_minute := pace.get("per_minute"):
        return MINUTE / int(per_minute)
    if finish_by := pace.get("finish_by"):
        return (datetime.fromisoformat(finish_by) - now) / left
    return timedelta(0)


async def reserve(connection: Connection, task_id: UUID, wanted: int) -> Grant:
    """Reserve places by the pace as it stands now, in a short transaction of its own; none when it does not send."""
    task = await (await connection.execute(SENDS, {"task_id": task_id})).fetchone()
    if task is None:
        return NOBODY
    if not task["paced"]:
        return Grant(wanted, task["now"])
    [standing] = await (await connection.execute(STANDING, {"task_id": task_id})).fetchall()
    granted = grant(standing, wanted)
    if granted.count:
        taken = {"task_id": task_id, "anchor": granted.anchor, "count": granted.count}
        await connection.execute(TAKE, taken)
    return granted
