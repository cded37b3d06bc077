"""Queries about jobs, inside a tenant's session; how a job stands is counted from its notifications each time."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.contact_files.models import ContactFile
from postroom.contracts.vocabulary import NotificationState
from postroom.jobs.models import Job
from postroom.notifications.models import Notification
from postroom.privacy.models import PersonJob

FAILURES = tuple(map(str, (NotificationState.FAILED, NotificationState.SKIPPED, NotificationState.EXPIRED)))


async def job_of(session: AsyncSession, job_id: UUID) -> Job | None:
    """Return one job."""
    return (await session.scalars(select(Job).where(Job.id == job_id))).one_or_none()


async def jobs_of(session: AsyncSession, window: tuple[UUID | None, int]) -> Sequence[Job]:
    """Return jobs, newest first; `window` is the id to start behind, and how many."""
    after, count = window
    statement = select(Job).order_by(Job.id.desc()).limit(count)
    if after is not None:
        statement = statement.where(Job.id < after)
    return (await session.scalars(statement)).all()


async def counts_of(session: AsyncSession, job_ids: Iterable[UUID]) -> dict[UUID, dict[NotificationState, int]]:
    """Count the notifications of jobs by state: one statement sees each of them once, whatever moves meanwhile."""
    counts: dict[UUID, dict[NotificationState, int]] = {one: dict.fromkeys(NotificationState, 0) for one in job_ids}
    statement = (
        select(Notification.job_id, Notification.state, func.count())
        .where(Notification.job_id.in_(list(counts)))
        .group_by(Notification.job_id, Notification.state)
    )
    for job_id, state, count in await session.execute(statement):
        if job_id is not None:
            counts[job_id][NotificationState(state)] = count
    return counts


async def person_jobs_of(session: AsyncSession, job_ids: Iterable[UUID]) -> dict[UUID, PersonJob]:
    """Return how far those of these jobs are that are about one person."""
    statement = select(PersonJob).where(PersonJob.job_id.in_(list(job_ids)))
    return {row.job_id: row for row in await session.scalars(statement)}


async def files_of(session: AsyncSession, job_ids: Iterable[UUID]) -> dict[UUID, ContactFile]:
    """Return how far those of these jobs are that read or write a file of contacts."""
    statement = select(ContactFile).where(ContactFile.job_id.in_(list(job_ids)))
    return {row.job_id: row for row in await session.scalars(statement)}


async def failures_of(session: AsyncSession, job_id: UUID, window: tuple[UUID | None, int]) -> Sequence[Notification]:
    """Return what ended without being sent, in the order it was asked for; `window` as above."""
    after, count = window
    statement = (
        select(Notification)
        .where(Notification.job_id == job_id, Notification.state.in_(FAILURES))
        .order_by(Notification.id)
        .limit(count)
    )
    if after is not None:
        statement = statement.where(Notification.id > after)
    return (await session.scalars(statement)).all()
