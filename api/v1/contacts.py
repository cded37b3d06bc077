"""Routes that write and read contacts."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.contact_bodies import ContactBody, ContactView
from api.v1.parameters import PathUserId
from api.v1.refusals import WITH_BODY, refusals
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/contacts", tags=["contacts"], route_class=PatientRoute)

NEW: dict[int | str, dict[str, Any]] = {201: {"model": ContactView, "description": "The contact is new"}}


@router.put("/{user_id:path}", responses=refusals(*WITH_BODY) | NEW, summary="Write a contact")
async def write_contact(
    user_id: PathUserId,
    body: ContactBody,
    caller: Annotated[Caller, Depends(Key(Scope.CONTACTS_WRITE))],
    response: Response,
) -> ContactView:
    """Replace a contact as a whole, or make it."""
    contact, is_new = await caller.services.contacts.put(caller.identity.tenant_id, body.person(user_id))
    if is_new:
        response.status_code = HTTPStatus.CREATED
    return ContactView.of(contact)


@router.get("/{user_id:path}", responses=refusals(404), summary="Read a contact")
async def read_contact(
    user_id: PathUserId, caller: Annotated[Caller, Depends(Key(Scope.CONTACTS_READ))]
) -> ContactView:
    """Return what is known of a person."""
    return ContactView.of(await caller.services.contacts.get(caller.identity.tenant_id, user_id))
