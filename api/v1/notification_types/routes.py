"""Routes of the kinds of messages a tenant declares."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.fields import Word
from api.v1.notification_types.bodies import (
    KindName,
    NotificationTypeBody,
    NotificationTypesView,
    NotificationTypeView,
)
from api.v1.refusals import WITH_BODY, refusals
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/notification-types", tags=["preferences"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.PREFERENCES_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.PREFERENCES_WRITE))]
Name = Annotated[Word, Path(description="The name of a notification type.", examples=["newsletter"])]
NewName = Annotated[KindName, Path(description="The name of a notification type.", examples=["newsletter"])]

NEW: dict[int | str, dict[str, Any]] = {201: {"model": NotificationTypeView, "description": "The type is new"}}


@router.get("", responses=refusals(), summary="List notification types")
async def list_types(caller: Reader) -> NotificationTypesView:
    """All types of the tenant, by group and name; there are at most 500."""
    kinds = await caller.services.kinds.all(caller.identity.tenant_id)
    return NotificationTypesView(items=[NotificationTypeView.of(kind) for kind in kinds])


@router.put("/{name:path}", responses=refusals(409, *WITH_BODY) | NEW, summary="Declare a notification type")
async def write_type(
    name: NewName, body: NotificationTypeBody, caller: Writer, response: Response
) -> NotificationTypeView:
    """Replace a type as a whole, or declare it. Its class stays what it was declared with."""
    kind, is_new = await caller.services.kinds.put(caller.identity.tenant_id, body.kind(name))
    if is_new:
        response.status_code = HTTPStatus.CREATED
    return NotificationTypeView.of(kind)


@router.get("/{name:path}", responses=refusals(404), summary="Read a notification type")
async def read_type(name: Name, caller: Reader) -> NotificationTypeView:
    """Return a type."""
    return NotificationTypeView.of(await caller.services.kinds.get(caller.identity.tenant_id, name))


@router.delete(
    "/{name:path}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404), summary="Delete a notification type"
)
async def delete_type(name: Name, caller: Writer) -> None:
    """Forget a type. What people said about it is kept, and counts again should it be declared again."""
    await caller.services.kinds.remove(caller.identity.tenant_id, name)
