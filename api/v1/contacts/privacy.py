"""Routes that tell all that is known of a person, or take it away."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import StreamingResponse

from api.dependencies import Caller, Key, Services
from api.patience import PatientRoute
from api.queries import check_query
from api.v1.jobs.views import JobView, PersonEventsView, PersonEventView
from api.v1.parameters import JobId, NamedAction, PathUserId
from api.v1.refusals import refusals
from api.v1.replays import replay_header
from postroom.identity import JOB, parse_id
from postroom.notifications.request import IdempotencyKey
from postroom.privacy.service import Result
from postroom.privacy.walking import Kind
from postroom.tenants.keys import Scope

router = APIRouter(tags=["privacy"], route_class=PatientRoute)
downloads = APIRouter(prefix="/exports", tags=["downloads"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.PRIVACY_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.PRIVACY_WRITE))]
EXPORTED: dict[str, Any] = {
    "format": "postroom.person/1",
    "user_id": "user_123",
    "exported_at": "2026-11-20T10:00:00+00:00",
    "contacts": [{"user_id": "user_123", "addresses": {"email": "ada@example.com"}, "language": "fr"}],
    "suppressions": [],
    "notifications": [{"id": "notif_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b", "state": "sent"}],
}
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One JSON object",
        "content": {"application/json": {"schema": {"type": "object", "examples": [EXPORTED]}}},
    }
}


@router.post(
    "/contacts/{user_id:path}/export",
    status_code=HTTPStatus.ACCEPTED,
    responses=refusals(404, 409),
    summary="Export a person",
)
async def export_person(user_id: PathUserId, caller: Writer, key: NamedAction, response: Response) -> JobView:
    """Begin to put together all that is kept of a person; the job says when it can be fetched, for 24 hours."""
    return await _ask(caller, Kind.EXPORT, (user_id, key), response)


@router.post(
    "/contacts/{user_id:path}/erasure",
    status_code=HTTPStatus.ACCEPTED,
    responses=refusals(404, 409),
    summary="Erase a person",
)
async def erase_person(user_id: PathUserId, caller: Writer, key: NamedAction, response: Response) -> JobView:
    """Begin to take away all that is kept of a person; what waits for them is skipped, and nothing is sent any more.

    Of their addresses keyed hashes stay, suppressed as `erased`, so that they are not written to again by accident.
    """
    view = await _ask(caller, Kind.ERASURE, (user_id, key), response)
    caller.services.bell.ring()
    return view


@router.get("/jobs/{id}/events", responses=refusals(404), summary="Read who did what for a person")
async def read_events(id: JobId, caller: Reader) -> PersonEventsView:  # noqa: A002 - the path's name
    """When an export or an erasure was asked for and done, and each time somebody fetched what was exported."""
    steps = await caller.services.privacy.history(caller.identity.tenant_id, parse_id(JOB, id))
    return PersonEventsView(items=[PersonEventView.of(step) for step in steps])


@router.get(
    "/jobs/{id}/result",
    responses=refusals(404, 409) | FILE,
    response_class=StreamingResponse,
    summary="Fetch what a job exported",
)
async def read_result(id: JobId, caller: Reader) -> StreamingResponse:  # noqa: A002 - the path's name
    """Everything that was kept of the person when it was put together; each fetching is written down."""
    identity = caller.identity
    found = await caller.services.privacy.fetch(identity.tenant_id, parse_id(JOB, id), identity.key_id)
    return _file(caller.services, found)


@downloads.get(
    "/{name}", responses=refusals(404, 409) | FILE, response_class=StreamingResponse, summary="Fetch by a signed link"
)
async def read_export(
    name: Annotated[str, Path(max_length=200, description="As the job names it.", examples=["AZqfPCt-fR-KTFttfo-aCw"])],
    request: Request,
) -> StreamingResponse:
    """Fetch what was exported without a key, by the link that the job names; for 24 hours from its end."""
    check_query(request)
    services: Services = request.app.state.services
    return _file(services, await services.privacy.fetch_by_link(name))


async def _ask(caller: Caller, kind: Kind, named: tuple[str, IdempotencyKey | None], response: Response) -> JobView:
    services, identity = caller.services, caller.identity
    asked = await services.privacy.ask(identity, kind, *named)
    view = JobView.of(await services.jobs.standing(identity.tenant_id, asked.job_id))
    response.headers["Location"] = view.links.self
    response.headers.update(replay_header(replayed=asked.replayed))
    return view


def _file(services: Services, found: Result) -> StreamingResponse:
    headers = {"Content-Disposition": 'attachment; filename="person.json"', "Cache-Control": "no-store"}
    return StreamingResponse(services.privacy.text(found), media_type="application/json", headers=headers)
