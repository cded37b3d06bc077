"""Statements about schedules and their runs, inside a tenant's session."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, null, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from postroom.schedules.models import RunState, Schedule, ScheduleRun, ScheduleState

Values = Mapping[str, Any]

ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
THERE = Schedule.state != ScheduleState.DELETED
OWING = {"version": Schedule.version + 1, "owed": True, "pokes": 0, "next_poke_at": func.now()}


async def schedule_of(session: AsyncSession, schedule_id: UUID, *, lock: bool = False) -> Schedule | None:
    """Return one schedule with the people it names, locked until the end of the transaction when asked for."""
    statement = select(Schedule).where(Schedule.id == schedule_id, THERE).options(undefer(Schedule.user_ids))
    if lock:
        statement = statement.with_for_update(key_share=True)
    return (await session.scalars(statement)).one_or_none()


async def schedules(session: AsyncSession, window: tuple[UUID | None, int]) -> Sequence[Schedule]:
    """Return schedules, newest first; `window` is the id to start behind, and how many."""
    after, count = window
    statement = select(Schedule).where(THERE).order_by(Schedule.id.desc()).limit(count)
    if after is not None:
        statement = statement.where(Schedule.id < after)
    return (await session.scalars(statement)).all()


async def count(session: AsyncSession, tenant_id: UUID) -> int:
    """Return how many schedules the tenant has; nobody else adds one to them until the transaction ends."""
    await session.execute(ALONE, {"name": f"schedules {tenant_id}"})
    return (await session.scalars(select(func.count()).select_from(Schedule).where(THERE))).one()


async def add(session: AsyncSession, values: Values) -> None:
    """Insert a schedule; the engine is owed it."""
    await session.execute(insert(Schedule).values(**values))


async def change(session: AsyncSession, schedule_id: UUID, values: Values) -> None:
    """Change a schedule and owe the engine the change."""
    statement = update(Schedule).where(Schedule.id == schedule_id)
    await session.execute(statement.values(**OWING, updated_at=func.now(), **values))


async def stop_runs(session: AsyncSession, schedule_id: UUID, reason: str) -> None:
    """End what runs: a page that is being written counts, and no other follows."""
    statement = update(ScheduleRun).where(ScheduleRun.schedule_id == schedule_id, ScheduleRun.state == RunState.RUNNING)
    done = {"state": RunState.CANCELLED, "reason": reason, "ended_at": func.now()}
    await session.execute(statement.values(**done, notice=null(), audience=null(), user_ids=null(), reached=""))


async def add_run(session: AsyncSession, values: Values) -> None:
    """Insert a run; the engine is owed its start."""
    await session.execute(insert(ScheduleRun).values(**values))


async def run_of(session: AsyncSession, run_id: UUID) -> ScheduleRun | None:
    """Return one run."""
    return (await session.scalars(select(ScheduleRun).where(ScheduleRun.id == run_id))).one_or_none()


async def runs(session: AsyncSession, schedule_id: UUID, window: tuple[UUID | None, int]) -> Sequence[ScheduleRun]:
    """Return runs of a schedule, newest first; `window` as above."""
    after, count = window
    statement = select(ScheduleRun).where(ScheduleRun.schedule_id == schedule_id)
    if after is not None:
        statement = statement.where(ScheduleRun.id < after)
    return (await session.scalars(statement.order_by(ScheduleRun.id.desc()).limit(count))).all()


def jobs_in(found: Iterable[ScheduleRun]) -> list[UUID]:
    """Return the jobs of these runs."""
    return [run.job_id for run in found if run.job_id is not None]
