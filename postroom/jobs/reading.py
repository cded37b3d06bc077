"""Reading jobs: how they stand, and whom they did not reach."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from postroom.database.engine import Database
from postroom.errors import NotFound
from postroom.jobs import repository
from postroom.jobs.models import Job
from postroom.jobs.standing import JobStanding
from postroom.notifications.models import Notification
from postroom.notifications.record import limit_time
from postroom.paging import Page


class JobReading:
    """Jobs of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standing(self, tenant_id: UUID, job_id: UUID) -> JobStanding:
        """Return how a job stands."""
        async with self._database.tenant_session(tenant_id) as session:
            job = await _found(session, job_id)
            counts = await repository.counts_of(session, [job_id])
            people = await repository.person_jobs_of(session, [job_id])
            files = await repository.files_of(session, [job_id])
        return JobStanding(job, counts[job_id], people.get(job_id), files.get(job_id))

    async def page(self, tenant_id: UUID, window: tuple[UUID | None, int]) -> Page[JobStanding]:
        """Return jobs, newest first; `window` is the id to start behind, and how many."""
        after, limit = window
        async with self._database.tenant_session(tenant_id) as session:
            await limit_time(session)
            found = await repository.jobs_of(session, (after, limit + 1))
            jobs = found[:limit]
            ids = [job.id for job in jobs]
            counts = await repository.counts_of(session, ids)
            people = await repository.person_jobs_of(session, ids)
            files = await repository.files_of(session, ids)
        standings = [JobStanding(job, counts[job.id], people.get(job.id), files.get(job.id)) for job in jobs]
        return Page(standings, jobs[-1].id if len(found) > limit else None)

    async def failures(self, tenant_id: UUID, job_id: UUID, window: tuple[UUID | None, int]) -> Page[Notification]:
        """Return the notifications of a job that ended without being sent; `window` as above."""
        after, limit = window
        async with self._database.tenant_session(tenant_id) as session:
            await _found(session, job_id)
            found = await repository.failures_of(session, job_id, (after, limit + 1))
        items = found[:limit]
        return Page(items, items[-1].id if len(found) > limit else None)


async def _found(session: AsyncSession, job_id: UUID) -> Job:
    job = await repository.job_of(session, job_id)
    if job is None:
        raise NotFound("There is no such job.")
    return job
