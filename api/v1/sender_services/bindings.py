"""Routes of who may use which sender services; the users of the console's seed are API keys here."""

from typing import Annotated

from fastapi import APIRouter, Body, Path

from api.patience import PatientRoute
from api.v1.examples import KEY_EXAMPLE
from api.v1.refusals import WITH_BODY, refusals
from api.v1.sender_services.bodies import SERVICE_EXAMPLE, BindingBody
from api.v1.sender_services.routes import Reader, Writer
from api.v1.sender_services.views import AccessesView
from postroom.identity import API_KEY, parse_id
from postroom.sender_services.service import MOST

router = APIRouter(prefix="/admin/users/{user_id}/sender-services", tags=["sender services"], route_class=PatientRoute)

KeyId = Annotated[str, Path(description="The id of an API key.", examples=[KEY_EXAMPLE])]
Changes = Annotated[
    list[BindingBody],
    Body(min_length=1, max_length=MOST, examples=[[{"service_id": SERVICE_EXAMPLE, "action": "add"}]]),
]


@router.get("", responses=refusals(404), summary="List the services that a key may use")
async def list_access(user_id: KeyId, caller: Reader) -> AccessesView:
    """Services bound to the key, and those bound to nobody."""
    bindings, tenant_id = caller.services.sender_bindings, caller.identity.tenant_id
    return AccessesView.of(await bindings.of_key(tenant_id, parse_id(API_KEY, user_id)))


@router.post("", responses=refusals(404, *WITH_BODY), summary="Bind a key to services")
async def change_access(user_id: KeyId, body: Changes, caller: Writer) -> AccessesView:
    """Bind a key to services or take it off them: all of the list, or nothing.

    A service without any binding is open to every key of the tenant.
    """
    bindings, tenant_id = caller.services.sender_bindings, caller.identity.tenant_id
    api_key_id = parse_id(API_KEY, user_id)
    changes = [one.change(at) for at, one in enumerate(body)]
    return AccessesView.of(await bindings.change(tenant_id, api_key_id, changes))
