"""Takes one person a step further: what is due is written once, and the next time to come back is said."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from postroom.contracts.recurring import Moment, NextStep
from postroom.contracts.vocabulary import MessageClass
from postroom.database.engine import Connection
from postroom.identity import new_id
from postroom.jobs.wording import Wording
from postroom.notifications.insertion import write_notifications
from postroom.notifications.placeholders import Gap
from postroom.notifications.request import Draft, spelled
from postroom.policy.zones import find_zone
from postroom.sequences.casting import Castings
from postroom.sequences.course import Course
from postroom.sequences.ending import end_enrolment
from postroom.sequences.models import EnrolmentState, SequenceState, StepState
from postroom.subscriptions.kind_repository import classes_of
from postroom.timing import Timing

# The lock decides against a stop, the share of the sequence's row against its deletion.
ENROLMENT = """
SELECT e.*, s.state AS sequence_state, v.content
FROM enrolments e JOIN sequences s ON s.id = e.sequence_id
    JOIN sequence_versions v ON v.sequence_id = e.sequence_id AND v.version = e.version
WHERE e.id = %(id)s FOR NO KEY UPDATE OF e FOR SHARE OF s
"""
STEPS = "SELECT position, due_at, state FROM enrolment_steps WHERE enrolment_id = %(id)s ORDER BY due_at, position"
DONE = """
UPDATE enrolment_steps SET state = %(state)s, reason = %(reason)s, notification_id = %(notification_id)s,
    done_at = now()
WHERE enrolment_id = %(id)s AND position = %(position)s AND state = 'waiting'
"""
WAITS = "UPDATE enrolments SET pokes = 0, next_poke_at = now() + %(wait)s WHERE id = %(id)s"
COMPLETED = """
UPDATE enrolments SET state = 'completed', ended_at = now(), variables = '{}', pokes = 0, next_poke_at = NULL
WHERE id = %(id)s
"""
PAID = "UPDATE enrolments SET pokes = 0, next_poke_at = NULL WHERE id = %(id)s"

Row = dict[str, Any]


class Guide:
    """Advances enrolments; `Moment.now` is what time it is."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing

    async def advance(self, connection: Connection, at: Moment, castings: Castings) -> NextStep:
        """Write the steps that are due, in the tenant's transaction, and say what comes next.

        `castings` has what the templates of the steps came to, by position: a version, or why there is none.
        """
        row = await (await connection.execute(ENROLMENT, {"id": at.enrolment_id})).fetchone()
        if row is None:
            return NextStep(closed=True)
        if row["state"] == EnrolmentState.ACTIVE and row["sequence_state"] == SequenceState.DELETED:
            await end_enrolment(connection, row["id"], "sequence_deleted")
            row["state"] = EnrolmentState.STOPPED
        if row["state"] != EnrolmentState.ACTIVE:
            await connection.execute(PAID, {"id": row["id"]})
            return NextStep(closed=True, counts=counted(await _steps(connection, row["id"])))
        steps, known = await _steps(connection, row["id"]), await classes_of(connection, row["tenant_id"])
        for step in steps:
            if step["state"] == StepState.WAITING and step["due_at"] <= at.now:
                is_late = at.now - step["due_at"] > self._timing.step_late
                made = "missed" if is_late else self._draft(row, (step["position"], known), castings)
                step["state"] = await _take(connection, row, step, made)
        return await self._wait(connection, row, steps, at.now)

    def _draft(self, row: Row, step: tuple[int, Mapping[str, MessageClass]], castings: Castings) -> Draft | str:
        """Return what a step says to this person, or the code why nothing can be said.

        `step` is its position, and the classes of the types that are declared.
        """
        position, known = step
        notice = Course.read(row["content"]).notice(position).classed(known)
        casting = castings.get(position, "template_not_found")
        if notice.use is None:
            words = Wording.read(notice.request()).fill(row["variables"])
            if isinstance(words, Gap):
                return words.reason
            notice = notice.said(words.title, words.text, words.html)
        elif isinstance(casting, str):
            return casting
        request = notice.request(row["user_id"])
        return Draft(
            id=new_id(),
            tenant_id=row["tenant_id"],
            api_key_id=row["api_key_id"],
            request=request,
            metadata_json=spelled(notice.metadata),
            life=notice.life_time or self._timing.life(request.message_class),
            fallback_after=request.fallback_after or self._timing.fallback(request.priority),
            casting=None if isinstance(casting, str) else casting,
        )

    async def _wait(self, connection: Connection, row: Row, steps: Sequence[Row], now: datetime) -> NextStep:
        waiting = [step for step in steps if step["state"] == StepState.WAITING]
        if not waiting:
            await connection.execute(COMPLETED, {"id": row["id"]})
            return NextStep(closed=True, counts=counted(steps))
        wait: timedelta = waiting[0]["due_at"] - now
        await connection.execute(WAITS, {"id": row["id"], "wait": wait + self._timing.watch_grace})
        return NextStep(closed=False, wait=wait, story=story(row, waiting[0], len(steps)), counts=counted(steps))


async def _take(connection: Connection, row: Row, step: Row, made: Draft | str) -> StepState:
    """Write one step with its notification, or leave it out for a reason."""
    sent = isinstance(made, Draft)
    if isinstance(made, Draft):
        await write_notifications(connection, [made])
    state = StepState.SENT if sent else StepState.SKIPPED
    done = {"id": row["id"], "position": step["position"], "state": state}
    done |= {"reason": None if sent else made, "notification_id": made.id if isinstance(made, Draft) else None}
    await connection.execute(DONE, done)
    return state


async def _steps(connection: Connection, enrolment_id: UUID) -> list[Row]:
    return await (await connection.execute(STEPS, {"id": enrolment_id})).fetchall()


def counted(steps: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count steps by their state."""
    states = sorted(str(step["state"]) for step in steps)
    return {state: states.count(state) for state in states}


def story(row: Mapping[str, Any], step: Mapping[str, Any], of: int) -> str:
    """Say what is waited for: `step 2 of 3 at 2026-11-23 09:00 Europe/Paris`."""
    zone = find_zone(row["time_zone"])
    return f"step {step['position']} of {of} at {step['due_at'].astimezone(zone.info):%Y-%m-%d %H:%M} {zone.shown}"
