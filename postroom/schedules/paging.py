"""Writes the notifications of a run, page by page: a page, how far it got and its job's total are one transaction."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from postroom.contracts.recurring import RunStanding
from postroom.database.engine import Connection
from postroom.identity import new_id
from postroom.jobs.batch import Batch, Recipient
from postroom.jobs.insertion import write_job
from postroom.schedules.models import RunState
from postroom.schedules.notice import Notice
from postroom.schedules.pins import read_pins
from postroom.subscriptions.kind_repository import classes_of
from postroom.timing import Timing

GONE = RunStanding("gone")

# Two that page the same run take turns here, and the second one goes on behind the first.
RUN = """
SELECT r.*, s.api_key_id,
       EXISTS (SELECT FROM jobs j WHERE j.id = r.job_id AND j.cancel_requested_at IS NOT NULL) AS job_cancelled
FROM schedule_runs r JOIN schedules s ON s.id = r.schedule_id
WHERE r.id = %(run_id)s FOR NO KEY UPDATE OF r
"""

# A page looks at so many contacts, however few of them are meant: no statement walks a million.
CONTACTS = """
SELECT user_id, attributes @> %(attributes)s::jsonb
       AND (%(language)s::text IS NULL OR lower(language) = lower(%(language)s)) AS is_meant
FROM contacts WHERE tenant_id = %(tenant_id)s AND user_id > %(reached)s ORDER BY user_id LIMIT %(limit)s
"""
# Whoever erases one of them waits until the page is written, and finds it; whoever is erased meanwhile is not told.
STILL_THERE = """
SELECT user_id FROM contacts WHERE tenant_id = %(tenant_id)s AND user_id = ANY(%(people)s) ORDER BY user_id
FOR KEY SHARE
"""
NAMED = """
SELECT user_id, true AS is_meant FROM unnest(%(user_ids)s::text[]) AS user_id
WHERE user_id COLLATE "C" > %(reached)s ORDER BY user_id COLLATE "C" LIMIT %(limit)s
"""
COUNT = """
SELECT count(*) AS total FROM contacts
WHERE tenant_id = %(tenant_id)s AND attributes @> %(attributes)s::jsonb
  AND (%(language)s::text IS NULL OR lower(language) = lower(%(language)s))
"""

REACHED = """
UPDATE schedule_runs SET reached = %(reached)s, inserted = inserted + %(more)s, total = %(total)s, job_id = %(job_id)s,
    pokes = 0, next_poke_at = now() + %(grace)s
WHERE id = %(run_id)s
"""
# Whoever came or left since the count is in the figures at the end.
END = """
UPDATE schedule_runs SET state = %(state)s, reason = %(reason)s, ended_at = now(), notice = NULL, audience = NULL,
    user_ids = NULL, reached = '', total = CASE %(state)s WHEN 'completed' THEN inserted ELSE total END
WHERE id = %(run_id)s AND state = 'running' RETURNING state, inserted, total
"""

Row = Mapping[str, Any]


class Pager:
    """Writes pages of `size` people."""

    def __init__(self, timing: Timing, size: int) -> None:
        self._timing = timing
        self._size = size

    async def write_next(self, connection: Connection, run_id: UUID) -> RunStanding:
        """Write the next page of a run in the tenant's transaction, and say how it stands then."""
        run = await (await connection.execute(RUN, {"run_id": run_id})).fetchone()
        if run is None:
            return GONE
        if run["state"] != RunState.RUNNING:
            return RunStanding(run["state"], run["inserted"], run["total"])
        if run["job_cancelled"]:
            return await end_run(connection, run_id, RunState.CANCELLED, "job_cancelled")
        seen = await self._look(connection, run)
        people = await _held(connection, run, [row["user_id"] for row in seen if row["is_meant"]])
        standing = await self._write(connection, run, people, seen)
        if len(seen) < self._size:
            return await end_run(connection, run_id, RunState.COMPLETED, None)
        return standing

    async def _look(self, connection: Connection, run: Row) -> Sequence[Row]:
        statement = CONTACTS if run["user_ids"] is None else NAMED
        return await (await connection.execute(statement, _asked(run) | {"limit": self._size})).fetchall()

    async def _write(self, connection: Connection, run: Row, people: Sequence[str], seen: Sequence[Row]) -> RunStanding:
        total = run["total"] if run["reached"] else await _count(connection, run)
        job_id = run["job_id"]
        if people:
            known = await classes_of(connection, run["tenant_id"])
            batch = self._batch(run, Notice.read(run["notice"]).classed(known), people)
            await write_job(connection, batch, (), "")
            job_id = batch.id
        reached = {
            "run_id": run["id"],
            "reached": seen[-1]["user_id"] if seen else run["reached"],
            "more": len(people),
            "total": total,
            "job_id": job_id,
            "grace": self._timing.watch_grace,
        }
        await connection.execute(REACHED, reached)
        return RunStanding(RunState.RUNNING, run["inserted"] + len(people), total)

    def _batch(self, run: Row, notice: Notice, people: Sequence[str]) -> Batch:
        request = notice.request()
        return Batch(
            id=run["job_id"] or new_id(),
            tenant_id=run["tenant_id"],
            api_key_id=run["api_key_id"],
            request=request,
            resolved=read_pins(run["pinned"]),
            recipients=[Recipient(user_id) for user_id in people],
            place="",
            life=notice.life_time or self._timing.life(request.message_class),
            fallback_after=request.fallback_after or self._timing.fallback(request.priority),
        )


async def _held(connection: Connection, run: Row, people: Sequence[str]) -> Sequence[str]:
    """Keep contacts from going before they are written to; lists of names are struck under the lock of their run."""
    if run["user_ids"] is not None or not people:
        return people
    there = await connection.execute(STILL_THERE, {"tenant_id": run["tenant_id"], "people": people})
    return [row["user_id"] async for row in there]


def _asked(run: Row) -> dict[str, Any]:
    audience = run["audience"]
    return {
        "tenant_id": run["tenant_id"],
        "reached": run["reached"],
        "user_ids": run["user_ids"],
        "attributes": json.dumps(audience["attributes"]),
        "language": audience["language"],
    }


async def _count(connection: Connection, run: Row) -> int:
    if run["user_ids"] is not None:
        return len(run["user_ids"])
    row = await (await connection.execute(COUNT, _asked(run))).fetchone()
    return int(row["total"]) if row else 0


async def end_run(connection: Connection, run_id: UUID, state: RunState, reason: str | None) -> RunStanding:
    """End a run that is at work, and say how it stands."""
    ended = await connection.execute(END, {"run_id": run_id, "state": state, "reason": reason})
    row = await ended.fetchone()
    return RunStanding(**row) if row else GONE
