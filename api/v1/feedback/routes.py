"""Routes of what becomes known of mail after it was accepted: reports by mail, and calls of providers."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from api.dependencies import Caller, Key, Services
from api.patience import PatientRoute
from api.v1.feedback.bodies import SOURCE_EXAMPLE, MailView, NewSourceBody, SourcesView, SourceView
from api.v1.parameters import NamedRequest
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from postroom.errors import NotFound
from postroom.feedback.vendors.base import Call, refused
from postroom.identity import FEEDBACK_SOURCE, parse_id
from postroom.tenants.keys import Scope

ANY_BODY = {"/api/v1/feedback/mail": 10_000_000, "/api/v1/feedback/events/": 1_000_000}  # in bytes

router = APIRouter(prefix="/feedback", tags=["feedback"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.FEEDBACK_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.FEEDBACK_WRITE))]
SourceId = Annotated[str, Path(description="The id of a feedback source.", examples=[SOURCE_EXAMPLE])]


@router.post("/mail", responses=refusals(408, 413), summary="Take in a bounce or a complaint")
async def take_mail(request: Request, caller: Writer) -> MailView:
    """Read one mail as it came (`message/rfc822`): a delivery report, a complaint, or nothing of either.

    For the hook of a mail server that receives what returns to the bounce domain. Whatever it is, it was taken: a mail
    nobody can make sense of is answered 200 as well, and must not be bounced.
    """
    services, tenant_id = caller.services, caller.identity.tenant_id
    reading = await services.mail_reader.read_aside(await request.body())
    await services.intake.take(reading.reports, tenant_id)
    return MailView(outcome=reading.outcome, reports=len(reading.reports))


@router.post("/events/{source}", include_in_schema=False)
async def take_events(source: str, request: Request) -> Response:
    """Take in what a provider calls with; it proves itself in its own way, without a key of ours."""
    services: Services = request.app.state.services
    try:
        source_id = parse_id(FEEDBACK_SOURCE, source)
    except NotFound:
        raise refused() from None
    headers = {name.lower(): value for name, value in request.headers.items()}
    await services.sources.hear(source_id, Call(headers, await request.body()))
    return Response(status_code=HTTPStatus.OK)


@router.post(
    "/sources",
    status_code=HTTPStatus.CREATED,
    responses=refusals(409, *WITH_BODY),
    summary="Listen to a provider",
)
async def add_source(body: NewSourceBody, caller: Writer, key: NamedRequest, response: Response) -> SourceView:
    """Add a provider; its webhook is to be pointed at the path in the answer."""
    source, replayed = await caller.services.sources.add(caller.identity.tenant_id, body.asked(), key)
    response.headers.update(replay_header(replayed=replayed))
    return SourceView.of(source)


@router.get("/sources", responses=refusals(), summary="List the providers that are listened to")
async def list_sources(caller: Reader) -> SourcesView:
    """Sources of the tenant, newest first, with how much of each was understood."""
    found = await caller.services.sources.all(caller.identity.tenant_id)
    return SourcesView(items=[SourceView.of(one) for one in found])


@router.delete(
    "/sources/{id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404), summary="Stop listening to a provider"
)
async def delete_source(id: SourceId, caller: Writer) -> None:  # noqa: A002 - the path's name
    """Delete a source; its calls are refused from now on."""
    await caller.services.sources.remove(caller.identity.tenant_id, parse_id(FEEDBACK_SOURCE, id))
