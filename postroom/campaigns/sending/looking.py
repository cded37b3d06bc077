"""The look of a task: pays the wake-up, and says from the rows alone what is to be done and when the next thing is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from postroom.campaigns.pages import counted
from postroom.campaigns.sending.holding import thaw
from postroom.campaigns.sending.pacing import Turn, turn_of
from postroom.campaigns.sending.stories import story_of
from postroom.contracts.campaigns import LookAtTask, TaskPlan
from postroom.contracts.vocabulary import FINAL_DELIVERY_STATES, FINAL_TASK_STATES, TaskState
from postroom.database.engine import Connection
from postroom.timing import Timing

UNLAUNCHED = frozenset({TaskState.DRAFT, TaskState.IN_REVIEW})
WINDOWS = 6  # of pages in one look: what is under way is among them, and a signal asks anew anyway

# The lock comes first and the pages are read after it: whoever touched them before is seen, whoever does later owes a
# new look.
LOCK = """
SELECT state, reason, cancel_requested, frozen_at, ended_at, held_reason, totals, now() AS now,
       start_at, CASE WHEN start_at > now() THEN start_at - now() END AS before_start,
       held_until, CASE WHEN held_until > now() THEN held_until - now() END AS held_for, pace, pace_anchor AS anchor,
       audience - paced AS left
FROM campaign_tasks WHERE id = %(task_id)s FOR NO KEY UPDATE
"""
# First what costs no hand-off: an answer to ask for, somebody who is over. Then what was begun goes on: who is due
# again is not to wait until the last page has had its first turn.
PAGES = """
SELECT ARRAY(SELECT number FROM task_pages
             WHERE task_id = %(task_id)s AND {at} IS NOT NULL
                AND ({at} <= now() OR (%(unwanted)s AND counts ?| ARRAY['pending', 'deferred', 'claimed']))
             ORDER BY coalesce(asks_at <= now(), false) DESC, counted, {at}, number LIMIT %(limit)s) AS due,
       min(p.{at}) FILTER (WHERE p.{at} > now()) AS next_at,
       min(p.{at}) FILTER (WHERE p.{at} > now()) - now() AS wait,
       count(p.next_at) AS left
FROM task_pages p WHERE p.task_id = %(task_id)s AND p.next_at IS NOT NULL
"""
SENDING = PAGES.format(at="next_at")
# While nothing may leave, it is still asked what became of hand-offs that nobody answered, and who is over is expired.
ASKING = PAGES.format(at="asks_at")
PAY = """
UPDATE campaign_tasks SET owed = false, pokes = 0, wake_by = now() + %(until)s::interval,
    paced = coalesce(audience - %(left)s, 0),
    held_until = CASE WHEN held_until > now() THEN held_until END,
    held_reason = CASE WHEN held_until > now() THEN held_reason END
WHERE id = %(task_id)s
"""


@dataclass(frozen=True, slots=True)
class Pages:
    """Which pages are due, when the next one is, and how many are not done with."""

    due: Sequence[int]
    next_at: Any
    wait: timedelta | None
    left: int


@dataclass(frozen=True, slots=True)
class TaskLookout:
    """Looks at one task inside the caller's transaction."""

    timing: Timing

    async def look(self, connection: Connection, at: LookAtTask) -> TaskPlan:
        """Pay the wake-up of a task and return its plan."""
        asked = {"task_id": at.task_id}
        await thaw(connection, at.task_id)
        task = await (await connection.execute(LOCK, asked)).fetchone()
        if task is None:
            return TaskPlan(closed=True)
        turn = turn_of(task, self.timing.pace_stay)
        most = at.window * WINDOWS
        passes = min(most, turn.passes) if task["state"] == TaskState.SENDING else most
        limits = {"unwanted": task["cancel_requested"], "limit": passes}
        rest = _rest(task, turn)
        found = await connection.execute(SENDING if rest is None else ASKING, asked | limits)
        [row] = await found.fetchall()
        plan = _plan(task, Pages(**row), await counted(connection, at.task_id), rest)
        await self._pay(connection, at.task_id, plan)
        return plan

    async def _pay(self, connection: Connection, task_id: UUID, plan: TaskPlan) -> None:
        """A sleeper is expected back at its next time; one that waits for a signal is not expected at all."""
        busy = plan.freeze or plan.audit or bool(plan.due)
        until = None
        if busy or plan.wait is not None:
            until = self.timing.watch_grace + (timedelta(0) if busy else plan.wait or timedelta(0))
        left = sum(count for state, count in plan.counts.items() if state not in FINAL_DELIVERY_STATES)
        await connection.execute(PAY, {"task_id": task_id, "until": until, "left": left})


def _rest(task: Mapping[str, Any], turn: Turn) -> timedelta | None:
    """How long nothing leaves; None when something may."""
    if task["cancel_requested"] or TaskState(task["state"]) in FINAL_TASK_STATES:
        return None
    if task["state"] == TaskState.PAUSED:
        return task["held_for"] or timedelta.max
    return max((wait for wait in (task["held_for"], turn.wait) if wait), default=None)


def _plan(task: Mapping[str, Any], pages: Pages, counts: dict[str, int], rest: timedelta | None) -> TaskPlan:
    """Say what is to be done: a table, read from the top."""
    state = TaskState(task["state"])
    seen = TaskPlan(
        closed=False,
        story=story_of(task, pages.next_at, task["anchor"] if rest else None),
        status=state.value,
        counts=counts,
    )
    over = state in FINAL_TASK_STATES and task["ended_at"] is not None
    if state in UNLAUNCHED or state is TaskState.FAILED:
        return replace(seen, closed=True)
    if over and not pages.left and counts == (task["totals"] or {}):
        return replace(seen, closed=True)
    if over or task["cancel_requested"]:
        return replace(seen, due=tuple(pages.due), wait=pages.wait, audit=not pages.left)
    waits = [wait for wait in (rest, pages.wait) if wait is not None and wait < timedelta.max]
    going = replace(seen, due=tuple(pages.due), wait=min(waits, default=None))
    if state is TaskState.PAUSED:
        return going
    if task["frozen_at"] is None:
        return replace(seen, freeze=not task["before_start"], wait=task["before_start"] or None)
    if not pages.left:
        return replace(seen, audit=True)
    return going
