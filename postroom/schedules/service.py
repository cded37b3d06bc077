"""Schedules as the API reads and writes them: rows only; what the engine has to do about it stays owed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.contracts.vocabulary import NotificationState
from postroom.database.engine import Database
from postroom.errors import Conflict, Invalid, NotFound
from postroom.identity import new_id
from postroom.jobs.repository import counts_of
from postroom.notifications.naming import made_before
from postroom.notifications.request import IdempotencyKey
from postroom.paging import Page
from postroom.schedules import repository
from postroom.schedules.models import Cause, Schedule, ScheduleRun, ScheduleState
from postroom.schedules.references import check_references
from postroom.schedules.terms import Terms, Timetable
from postroom.tenants.gate import Identity

MOST = 1_000  # schedules of one tenant
NEXT_RUNS = 5
LAST_RUNS = 10

Counts = Mapping[NotificationState, int]


@dataclass(frozen=True, slots=True)
class RunView:
    """A run and the states of its notifications at one moment."""

    run: ScheduleRun
    counts: Counts | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A schedule, when it comes next, and its last runs; `replayed` when an earlier request made it."""

    schedule: Schedule
    next_runs: Sequence[datetime] = ()
    last_runs: Sequence[RunView] = ()
    replayed: bool = field(default=False)

    @property
    def state(self) -> ScheduleState:
        """What a tenant calls it: ended, from the moment nothing comes any more."""
        return ScheduleState(self.schedule.state) if self.next_runs else ScheduleState.ENDED


class Schedules:
    """Schedules of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, identity: Identity, terms: Terms, key: IdempotencyKey | None) -> Standing:
        """Make a schedule.

        Raises:
            Invalid: it could not be carried, would never come, or the tenant has enough of them.
        """
        await self._check(identity.tenant_id, terms)
        schedule_id, tenant_id = new_id(), identity.tenant_id
        made = {"id": schedule_id, "tenant_id": tenant_id, "api_key_id": identity.key_id}
        async with self._database.tenant_session(tenant_id) as session:
            if earlier := await made_before(session, tenant_id, key, schedule_id):
                return await _standing(session, await _found(session, earlier), replayed=True)
            if await repository.count(session, tenant_id) >= MOST:
                raise Invalid(f"A tenant has at most {MOST} schedules.", code="too_many_schedules")
            await repository.add(session, made | _values(terms))
            return await _standing(session, await _found(session, schedule_id))

    async def get(self, tenant_id: UUID, schedule_id: UUID) -> Standing:
        """Return a schedule with its next and last runs, or raise NotFound."""
        async with self._database.tenant_session(tenant_id) as session:
            return await _standing(session, await _found(session, schedule_id))

    async def page(self, tenant_id: UUID, window: tuple[UUID | None, int]) -> Page[Standing]:
        """Return schedules, newest first; `window` is the id to start behind, and how many."""
        after, limit = window
        async with self._database.tenant_session(tenant_id) as session:
            found = await repository.schedules(session, (after, limit + 1))
        now, items, standing = datetime.now(UTC), found[:limit], list[Standing]()
        for one in items:
            standing.append(Standing(one, next_runs(one, now, 1)))
            await asyncio.sleep(0)  # a line that fits on every minute takes a while; others have their turn
        return Page(standing, items[-1].id if len(found) > limit else None)

    async def replace(self, tenant_id: UUID, schedule_id: UUID, terms: Terms) -> Standing:
        """Write a schedule anew as a whole; a run at work goes on as it began, one that had ended begins again.

        Raises:
            NotFound: the tenant has no such schedule.
            Invalid: as `add`.
        """
        await self._check(tenant_id, terms)
        async with self._database.tenant_session(tenant_id) as session:
            schedule = await _found(session, schedule_id, lock=True)
            state = ScheduleState.PAUSED if schedule.state == ScheduleState.PAUSED else ScheduleState.ACTIVE
            await repository.change(session, schedule_id, _values(terms) | {"state": state})
            return await _refreshed(session, schedule)

    async def remove(self, tenant_id: UUID, schedule_id: UUID) -> None:
        """Delete a schedule; a run at work stops at its next page, and what was written is sent."""
        async with self._database.tenant_session(tenant_id) as session:
            await _found(session, schedule_id, lock=True)
            await repository.change(session, schedule_id, {"state": ScheduleState.DELETED})
            await repository.stop_runs(session, schedule_id, "deleted")

    async def pause(self, tenant_id: UUID, schedule_id: UUID) -> Standing:
        """Let nothing come until it is resumed; a run at work stops at its next page.

        Raises:
            NotFound: the tenant has no such schedule.
            Conflict: it has ended (`already_ended`).
        """
        async with self._database.tenant_session(tenant_id) as session:
            schedule = await _going(session, schedule_id)
            await repository.change(session, schedule_id, {"state": ScheduleState.PAUSED})
            await repository.stop_runs(session, schedule_id, "paused")
            return await _refreshed(session, schedule)

    async def resume(self, tenant_id: UUID, schedule_id: UUID) -> Standing:
        """Let it come again from now on; what it would have sent meanwhile is not made up for. Raises as `pause`."""
        async with self._database.tenant_session(tenant_id) as session:
            schedule = await _going(session, schedule_id)
            if schedule.state == ScheduleState.PAUSED:
                resumed = {"state": ScheduleState.ACTIVE, "resumed_at": func.now()}
                await repository.change(session, schedule_id, resumed)
            return await _refreshed(session, schedule)

    async def trigger(self, tenant_id: UUID, schedule_id: UUID, key: IdempotencyKey | None) -> tuple[RunView, bool]:
        """Run it once now, paused or not; True when an earlier request did. Raises as `pause`."""
        run_id = new_id()
        async with self._database.tenant_session(tenant_id) as session:
            schedule = await _going(session, schedule_id)
            earlier = await made_before(session, tenant_id, key, run_id)
            if earlier is None:
                await repository.add_run(session, _triggered(schedule, run_id))
            run = await repository.run_of(session, earlier or run_id)
            if run is None:
                raise NotFound("There is no such run.")
            [view] = await _views(session, [run])
        return view, earlier is not None

    async def runs(self, tenant_id: UUID, schedule_id: UUID, window: tuple[UUID | None, int]) -> Page[RunView]:
        """Return the runs of a schedule, newest first; `window` as above."""
        after, limit = window
        async with self._database.tenant_session(tenant_id) as session:
            await _found(session, schedule_id)
            found = await repository.runs(session, schedule_id, (after, limit + 1))
            views = await _views(session, found[:limit])
        return Page(views, views[-1].run.id if len(found) > limit else None)

    async def _check(self, tenant_id: UUID, terms: Terms) -> None:
        terms.check(datetime.now(UTC))
        await check_references(self._database, tenant_id, terms.notice, "/message")


def next_runs(schedule: Schedule, now: datetime, count: int = NEXT_RUNS) -> Sequence[datetime]:
    """Return when it would come next, were it not paused."""
    times = Timetable(schedule.recurrence, schedule.time_zone, schedule.start_at, schedule.end_at)
    return times.runs(now, count)


def _values(terms: Terms) -> dict[str, Any]:
    named, times = terms.audience.user_ids, terms.timetable
    return {
        "name": terms.name,
        "notice": terms.notice.stored(),
        "audience": terms.audience.stored(),
        "user_ids": None if named is None else sorted(set(named)),
        "recurrence": dict(times.recurrence),
        "time_zone": times.time_zone,
        "start_at": times.start_at,
        "end_at": times.end_at,
        "jitter": terms.jitter,
        "overlap": terms.overlap,
        "catch_up": terms.catch_up,
    }


def _triggered(schedule: Schedule, run_id: UUID) -> dict[str, Any]:
    return {
        "id": run_id,
        "schedule_id": schedule.id,
        "tenant_id": schedule.tenant_id,
        "fire_at": func.now(),
        "cause": Cause.TRIGGER,
        "notice": schedule.notice,
        "audience": schedule.audience,
        "user_ids": schedule.user_ids,
    }


async def _found(session: AsyncSession, schedule_id: UUID, *, lock: bool = False) -> Schedule:
    schedule = await repository.schedule_of(session, schedule_id, lock=lock)
    if schedule is None:
        raise NotFound("There is no such schedule.")
    return schedule


async def _going(session: AsyncSession, schedule_id: UUID) -> Schedule:
    schedule = await _found(session, schedule_id, lock=True)
    if schedule.state == ScheduleState.ENDED or not next_runs(schedule, datetime.now(UTC), 1):
        raise Conflict("This schedule has ended; write a later end_at first.", code="already_ended")
    return schedule


async def _refreshed(session: AsyncSession, schedule: Schedule) -> Standing:
    await session.refresh(schedule)
    return await _standing(session, schedule)


async def _standing(session: AsyncSession, schedule: Schedule, *, replayed: bool = False) -> Standing:
    last = await repository.runs(session, schedule.id, (None, LAST_RUNS))
    views = await _views(session, last)
    return Standing(schedule, next_runs(schedule, datetime.now(UTC)), views, replayed)


async def _views(session: AsyncSession, found: Sequence[ScheduleRun]) -> list[RunView]:
    jobs = repository.jobs_in(found)
    counts = await counts_of(session, jobs) if jobs else {}
    return [RunView(run, counts.get(run.job_id) if run.job_id else None) for run in found]
