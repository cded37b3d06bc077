"""Routes of the places a tenant wants to be called at."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.notifications.views import AcceptedView
from api.v1.parameters import NamedAction, NamedCall, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from api.v1.webhooks.bodies import (
    ENDPOINT_EXAMPLE,
    EndpointBody,
    EndpointChange,
    EndpointsView,
    EndpointView,
    ReplayBody,
    ReplayView,
    RevealedView,
)
from postroom.identity import ENDPOINT, parse_id
from postroom.notifications.accepting import Accepted
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/webhook-endpoints", tags=["webhooks"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.WEBHOOKS_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.WEBHOOKS_WRITE))]
EndpointId = Annotated[str, Path(description="The id of a webhook endpoint.", examples=[ENDPOINT_EXAMPLE])]
QUESTION = "webhook endpoints"


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(409, *WITH_BODY), summary="Add an endpoint")
async def add_endpoint(body: EndpointBody, caller: Writer, key: NamedCall, response: Response) -> RevealedView:
    """Add an endpoint; the secret its messages are signed with is shown in this answer and never again."""
    revealed = await caller.services.endpoints.add(caller.identity.tenant_id, body.asked(), key)
    response.headers.update(replay_header(replayed=revealed.replayed))
    return RevealedView.revealed(revealed)


@router.get("", responses=refusals(), summary="List endpoints")
async def list_endpoints(caller: Reader, window: WindowQuery) -> EndpointsView:
    """Endpoints of the tenant, newest first."""
    tenant_id, services = caller.identity.tenant_id, caller.services
    after = services.cursors.read(tenant_id, QUESTION, window.cursor)
    page = await services.endpoints.page(tenant_id, (after, window.limit))
    return EndpointsView(
        items=[EndpointView.of(endpoint) for endpoint in page.items],
        next_cursor=services.cursors.write(tenant_id, QUESTION, page.next_after),
    )


@router.get("/{id}", responses=refusals(404), summary="Read an endpoint")
async def read_endpoint(id: EndpointId, caller: Reader) -> EndpointView:  # noqa: A002 - the path's name
    """Return an endpoint, without its secret."""
    return EndpointView.of(await caller.services.endpoints.get(caller.identity.tenant_id, _id(id)))


@router.patch("/{id}", responses=refusals(404, 409, *WITH_BODY), summary="Change an endpoint")
async def change_endpoint(id: EndpointId, body: EndpointChange, caller: Writer) -> EndpointView:  # noqa: A002
    """Change what is named; what is on its way goes to the new URL."""
    changed = await caller.services.endpoints.change(caller.identity.tenant_id, _id(id), body.asked())
    return EndpointView.of(changed)


@router.delete("/{id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404), summary="Delete an endpoint")
async def delete_endpoint(id: EndpointId, caller: Writer) -> None:  # noqa: A002 - the path's name
    """Delete an endpoint; what still waits for it is skipped."""
    await caller.services.endpoints.remove(caller.identity.tenant_id, _id(id))


@router.post("/{id}/rotate-secret", responses=refusals(404, 409), summary="Rotate the secret")
async def rotate_secret(
    id: EndpointId,  # noqa: A002 - the path's name
    caller: Writer,
    key: NamedAction,
    response: Response,
) -> RevealedView:
    """Make a new secret and show it once; for 24 hours the old one signs beside it."""
    revealed = await caller.services.endpoints.rotate(caller.identity.tenant_id, _id(id), key)
    response.headers.update(replay_header(replayed=revealed.replayed))
    return RevealedView.revealed(revealed)


@router.post("/{id}/test", status_code=HTTPStatus.ACCEPTED, responses=refusals(404, 409), summary="Send a test event")
async def send_test(
    id: EndpointId,  # noqa: A002 - the path's name
    caller: Writer,
    key: NamedAction,
    response: Response,
) -> AcceptedView:
    """Send `webhook_endpoint.test`; its timeline tells what the receiver said."""
    tested = await caller.services.replays.test(caller.identity.tenant_id, _id(id), key)
    caller.services.bell.ring()
    response.headers.update(replay_header(replayed=tested.again))
    accepted = Accepted(tested.notification_id, tested.accepted_at, tested.accepted_at, is_scheduled=False)
    return AcceptedView.of(accepted)


@router.post(
    "/{id}/replay",
    status_code=HTTPStatus.ACCEPTED,
    responses=refusals(404, 409, *WITH_BODY),
    summary="Send again what an endpoint missed",
)
async def replay(  # noqa: PLR0913 - what a request brings
    id: EndpointId,  # noqa: A002 - the path's name
    body: ReplayBody,
    caller: Writer,
    key: NamedCall,
    response: Response,
) -> ReplayView:
    """Send one delivery again, or a span of time, under the webhook-ids of the first time; about 1,000 at once."""
    selection = body.selection(datetime.now(UTC))
    replayed = await caller.services.replays.replay(caller.identity.tenant_id, _id(id), selection, key)
    caller.services.bell.ring()
    response.headers.update(replay_header(replayed=replayed.again))
    return ReplayView.of(replayed)


def _id(text: str) -> UUID:
    return parse_id(ENDPOINT, text)
