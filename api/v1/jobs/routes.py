"""Routes of jobs: how many notifications that were asked for at once stand, and control over all of them."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.jobs.views import (
    CancelledJobView,
    FailuresView,
    FailureView,
    JobKind,
    JobResultView,
    JobsView,
    JobView,
    ResultLinkView,
    RetriedJobView,
)
from api.v1.parameters import JobId, WindowQuery
from api.v1.refusals import refusals
from postroom.identity import JOB, parse_id
from postroom.jobs.control import Cancelling
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.NOTIFICATIONS_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.NOTIFICATIONS_WRITE))]
LATER: dict[int | str, dict[str, Any]] = {
    202: {"model": CancelledJobView, "description": "Noted; some open hand-offs decide first"}
}


@router.get("", responses=refusals(), summary="List jobs")
async def list_jobs(caller: Reader, window: WindowQuery) -> JobsView:
    """Jobs of the tenant, newest first, each with its counts."""
    tenant_id, services = caller.identity.tenant_id, caller.services
    after = services.cursors.read(tenant_id, "jobs", window.cursor)
    page = await services.jobs.page(tenant_id, (after, window.limit))
    return JobsView(
        items=[JobView.of(standing) for standing in page.items],
        next_cursor=services.cursors.write(tenant_id, "jobs", page.next_after),
    )


@router.get("/{id}", responses=refusals(404), response_model_exclude_defaults=True, summary="Read a job")
async def read_job(id: JobId, caller: Reader) -> JobResultView:  # noqa: A002 - the path's name
    """Where each of its notifications stands, counted; the counts sum to the total in every answer.

    An export that is finished names, to a key with `privacy:read`, a signed link to what it found.
    """
    tenant_id, job_id = caller.identity.tenant_id, parse_id(JOB, id)
    standing = await caller.services.jobs.standing(tenant_id, job_id)
    view, found = JobView.of(standing), None
    if view.kind is JobKind.EXPORT and Scope.PRIVACY_READ in caller.identity.scopes:
        found = await caller.services.privacy.result(tenant_id, job_id)
    link = None
    if found is not None:
        base = caller.services.settings.public_url.rstrip("/")
        link = ResultLinkView(url=f"{base}/api/v1/exports/{found.name}", expires_at=found.expires_at)
    return JobResultView(**view.model_dump(), result=link, reason=standing.file.reason if standing.file else None)


@router.get("/{id}/failures", responses=refusals(404), summary="List whom a job did not reach")
async def list_failures(id: JobId, caller: Reader, window: WindowQuery) -> FailuresView:  # noqa: A002 - the path's name
    """Everybody whose notification failed, was skipped or expired, with the reason, in the order of the request."""
    tenant_id, services, job_id = caller.identity.tenant_id, caller.services, parse_id(JOB, id)
    question = f"failures {job_id}"
    after = services.cursors.read(tenant_id, question, window.cursor)
    page = await services.jobs.failures(tenant_id, job_id, (after, window.limit))
    return FailuresView(
        items=[FailureView.of(row) for row in page.items],
        next_cursor=services.cursors.write(tenant_id, question, page.next_after),
    )


@router.post("/{id}/cancel", responses=refusals(404, 409) | LATER, summary="Cancel what is left of a job")
async def cancel_job(id: JobId, caller: Writer, response: Response) -> CancelledJobView:  # noqa: A002 - the path's name
    """Cancel everything that has not gone; no hand-off of what is cancelled or cancelling starts after it."""
    services, tenant_id, job_id = caller.services, caller.identity.tenant_id, parse_id(JOB, id)
    standing = await services.jobs.standing(tenant_id, job_id)
    if standing.file is not None:
        await services.contact_files.cancel(tenant_id, job_id)
        return CancelledJobView.after(Cancelling(), await services.jobs.standing(tenant_id, job_id))
    done = await services.job_control.cancel(tenant_id, job_id)
    services.bell.ring()
    if done.cancelling:
        response.status_code = HTTPStatus.ACCEPTED
    return CancelledJobView.after(done, await services.jobs.standing(tenant_id, job_id))


@router.post("/{id}/retry", responses=refusals(404, 409), summary="Retry what failed of a job")
async def retry_job(id: JobId, caller: Writer) -> RetriedJobView:  # noqa: A002 - the path's name
    """Open what failed again with a new plan of attempts; what a provider has accepted is never sent again."""
    services, tenant_id, job_id = caller.services, caller.identity.tenant_id, parse_id(JOB, id)
    done = await services.job_control.retry(tenant_id, job_id)
    services.bell.ring()
    return RetriedJobView.after(done, await services.jobs.standing(tenant_id, job_id))
