"""The route that takes one message for many people."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.dependencies import Caller
from api.v1.jobs.views import JobView
from api.v1.notifications.accepting import WRITER, DirectRoute
from api.v1.notifications.batch_bodies import NewBatch
from api.v1.parameters import NamedRequest
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from postroom.jobs.batch import write_batch

router = APIRouter(tags=["notifications"], route_class=DirectRoute)


@router.post(
    "/notifications/batch",
    status_code=HTTPStatus.ACCEPTED,
    response_model=JobView,
    responses=refusals(*WITH_BODY, 409),
    summary="Send to many people",
)
async def send_batch(body: NewBatch, caller: Annotated[Caller, Depends(WRITER)], key: NamedRequest) -> Response:
    """Accept one message for up to 1,000 people: all of them are in the record when the answer comes, or nobody is."""
    services, identity = caller.services, caller.identity
    asked = await body.request(identity, services.settings.attachments_limit_bytes)
    batch = write_batch(asked, body.people(), identity, services.timing)
    received = await services.batches.receive(batch, key)
    standing = received.beginning or await services.jobs.standing(identity.tenant_id, received.job_id)
    view = JobView.of(standing)
    headers = {"Location": view.links.self} | replay_header(replayed=received.beginning is None)
    return Response(view.model_dump_json(), HTTPStatus.ACCEPTED, headers, "application/json")
