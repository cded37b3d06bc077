"""Routes that tell what became of notifications."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.notifications.filters import FilterQuery
from api.v1.notifications.timeline import TimelineView
from api.v1.notifications.views import NotificationSummaryView, NotificationView, PageView, StatusView
from api.v1.parameters import NotificationId, PathUserId, Window, WindowQuery, notification_id
from api.v1.refusals import refusals
from postroom.notifications.record import Filters
from postroom.tenants.keys import Scope

router = APIRouter(tags=["notifications"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.NOTIFICATIONS_READ))]


@router.get("/notifications", responses=refusals(), summary="List notifications")
async def list_notifications(caller: Reader, query: FilterQuery, window: WindowQuery) -> PageView:
    """Notifications of the tenant, newest first."""
    return await _page(caller, query, window)


@router.get("/users/{user_id:path}/notifications", responses=refusals(), summary="List a person's notifications")
async def list_notifications_of_user(user_id: PathUserId, caller: Reader, window: WindowQuery) -> PageView:
    """Notifications addressed to one user_id, newest first."""
    return await _page(caller, Filters(user_id=user_id), window)


@router.get("/notifications/{id}", responses=refusals(404), summary="Read a notification")
async def read_notification(id: NotificationId, caller: Reader) -> NotificationView:  # noqa: A002 - the path's name
    """One notification with its content, attachments and deliveries."""
    whole = await caller.services.reading.whole(caller.identity.tenant_id, notification_id(id))
    return NotificationView.whole(whole)


@router.get("/notifications/{id}/status", responses=refusals(404), summary="Ask where a notification stands")
async def read_status(id: NotificationId, caller: Reader) -> StatusView:  # noqa: A002 - the path's name
    """Status and reason only; cheap enough to poll."""
    summary = await caller.services.reading.summary(caller.identity.tenant_id, notification_id(id))
    return StatusView.of(summary)


@router.get("/notifications/{id}/timeline", responses=refusals(404), summary="Read a notification's story")
async def read_timeline(id: NotificationId, caller: Reader) -> TimelineView:  # noqa: A002 - the path's name
    """Every decision, attempt and reason, in order, and the workflow that carries it."""
    services = caller.services
    timeline = await services.reading.timeline(caller.identity.tenant_id, notification_id(id))
    return TimelineView.of(timeline, services.settings)


async def _page(caller: Caller, filters: Filters, window: Window) -> PageView:
    tenant_id, services = caller.identity.tenant_id, caller.services
    question = f"notifications {filters}"
    after = services.cursors.read(tenant_id, question, window.cursor)
    page = await services.reading.page(tenant_id, filters, (after, window.limit))
    return PageView(
        items=[NotificationSummaryView.of(summary) for summary in page.items],
        next_cursor=services.cursors.write(tenant_id, question, page.next_after),
    )
