"""Routes of the ways out for bulk mail."""

from email.utils import parseaddr
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.parameters import NamedRequest, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from api.v1.sender_services.bodies import SERVICE_EXAMPLE, SenderServiceBody, StatusBody
from api.v1.sender_services.views import SenderServicesView, SenderServiceView, TrialView, UsageView
from postroom.identity import SENDER_SERVICE, parse_id
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/admin/sender-services", tags=["sender services"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.SENDERS_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.SENDERS_WRITE))]
ServiceId = Annotated[str, Path(description="The id of a sender service.", examples=[SERVICE_EXAMPLE])]
QUESTION = "sender services"


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(409, *WITH_BODY), summary="Add a sender service")
async def add_service(
    body: SenderServiceBody, caller: Writer, key: NamedRequest, response: Response
) -> SenderServiceView:
    """Add a way out for bulk mail; its password is sealed and never shown."""
    made = await caller.services.sender_services.add(caller.identity, body.terms(), key)
    response.headers.update(replay_header(replayed=made.replayed))
    return SenderServiceView.of(made.service)


@router.get("", responses=refusals(), summary="List sender services")
async def list_services(caller: Reader, window: WindowQuery) -> SenderServicesView:
    """Services of the tenant, newest first."""
    tenant_id, services = caller.identity.tenant_id, caller.services
    after = services.cursors.read(tenant_id, QUESTION, window.cursor)
    page = await services.sender_services.page(tenant_id, (after, window.limit))
    return SenderServicesView(
        items=[SenderServiceView.of(one) for one in page.items],
        next_cursor=services.cursors.write(tenant_id, QUESTION, page.next_after),
    )


@router.get("/{id}", responses=refusals(404), summary="Read a sender service")
async def read_service(id: ServiceId, caller: Reader) -> SenderServiceView:  # noqa: A002 - the path's name
    """Return a service and how it fares."""
    return SenderServiceView.of(await caller.services.sender_services.get(caller.identity.tenant_id, _id(id)))


@router.put("/{id}", responses=refusals(404, 409, *WITH_BODY), summary="Change a sender service")
async def replace_service(id: ServiceId, body: SenderServiceBody, caller: Writer) -> SenderServiceView:  # noqa: A002
    """Give a service other terms, all of them; a password that is left out stays, unless it leads elsewhere now."""
    services, tenant_id = caller.services.sender_services, caller.identity.tenant_id
    return SenderServiceView.of(await services.replace(tenant_id, _id(id), body.terms()))


@router.delete(
    "/{id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404, 409), summary="Delete a sender service"
)
async def delete_service(id: ServiceId, caller: Writer) -> None:  # noqa: A002 - the path's name
    """Delete a service that no open task names."""
    await caller.services.sender_services.remove(caller.identity.tenant_id, _id(id))


@router.post("/{id}/set-status", responses=refusals(404, *WITH_BODY), summary="Freeze or thaw a sender service")
async def set_status(id: ServiceId, body: StatusBody, caller: Writer) -> SenderServiceView:  # noqa: A002
    """Freeze a service until it is thawed by hand, or thaw it: tasks that waited for it go on."""
    services, tenant_id = caller.services.sender_services, caller.identity.tenant_id
    changed = await services.set_status(tenant_id, _id(id), body.status)
    caller.services.bell.ring()
    return SenderServiceView.of(changed)


@router.get("/{id}/usage", responses=refusals(404), summary="Read what is used of the quotas")
async def read_usage(id: ServiceId, caller: Reader) -> UsageView:  # noqa: A002 - the path's name
    """Return the windows that run now; a day begins at midnight of the service's zone."""
    return UsageView.of(await caller.services.sender_services.usage(caller.identity.tenant_id, _id(id)))


@router.post("/{id}/test", responses=refusals(404), summary="Try the connection and the credentials")
async def test_service(id: ServiceId, caller: Writer) -> TrialView:  # noqa: A002 - the path's name
    """Connect and sign in, send nothing, and say what was seen."""
    own_name = parseaddr(caller.services.settings.mail_from)[1].rpartition("@")[2]
    return TrialView.of(await caller.services.sender_trial.attempt(caller.identity.tenant_id, _id(id), own_name))


def _id(text: str) -> UUID:
    return parse_id(SENDER_SERVICE, text)
