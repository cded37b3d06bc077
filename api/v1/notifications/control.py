"""Routes that change what happens to a notification that was accepted."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.notifications.times import Rescheduling
from api.v1.notifications.views import ControlView, StatusView
from api.v1.parameters import NotificationId, notification_id
from api.v1.refusals import WITH_BODY, refusals
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/notifications/{id}", tags=["control"], route_class=PatientRoute)

Writer = Annotated[Caller, Depends(Key(Scope.NOTIFICATIONS_WRITE))]

NOT_YET = frozenset({"cancelling", "noted"})  # asked for; what a provider answers decides
LATER: dict[int | str, dict[str, Any]] = {
    202: {"model": ControlView, "description": "Noted; an open hand-off decides first"}
}


@router.post("/cancel", responses=refusals(404, 409) | LATER, summary="Cancel")
async def cancel(id: NotificationId, caller: Writer, response: Response) -> ControlView:  # noqa: A002 - the path's name
    """`cancelled` when nothing was being handed off, else `cancelling`; no hand-off starts after either."""
    outcome = await caller.services.control.cancel(caller.identity.tenant_id, notification_id(id))
    return await _after(caller, id, outcome, response)


@router.post("/reschedule", responses=refusals(404, 409, *WITH_BODY), summary="Reschedule")
async def reschedule(
    id: NotificationId,  # noqa: A002 - the path's name
    body: Rescheduling,
    caller: Writer,
    response: Response,
) -> ControlView:
    """Move the due time of a notification that is not being handed off."""
    now = datetime.now(UTC)
    schedule = body.schedule()
    schedule.check(now, None)
    tenant_id = caller.identity.tenant_id
    outcome = await caller.services.control.reschedule(tenant_id, notification_id(id), schedule.due_at(now))
    return await _after(caller, id, outcome, response)


@router.post("/send-now", responses=refusals(404, 409) | LATER, summary="Send now")
async def send_now(
    id: NotificationId,  # noqa: A002 - the path's name
    caller: Writer,
    response: Response,
) -> ControlView:
    """Skip the schedule and the waits between attempts; never a suppression."""
    outcome = await caller.services.control.send_now(caller.identity.tenant_id, notification_id(id))
    return await _after(caller, id, outcome, response)


@router.post("/retry", responses=refusals(404, 409), summary="Retry a failed notification")
async def retry(id: NotificationId, caller: Writer, response: Response) -> ControlView:  # noqa: A002 - the path's name
    """Open a failed notification again with a new plan of attempts."""
    outcome = await caller.services.control.retry(caller.identity.tenant_id, notification_id(id))
    return await _after(caller, id, outcome, response)


async def _after(caller: Caller, public: str, outcome: str, response: Response) -> ControlView:
    """Wake the relay and say where the notification stands now."""
    caller.services.bell.ring()
    if outcome in NOT_YET:
        response.status_code = HTTPStatus.ACCEPTED
    summary = await caller.services.reading.summary(caller.identity.tenant_id, notification_id(public))
    return ControlView(**StatusView.of(summary).model_dump(), outcome=outcome)
