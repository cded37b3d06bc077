"""Routes of what comes again and again."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.parameters import NamedAction, NamedCall, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from api.v1.schedules.bodies import ScheduleBody
from api.v1.schedules.views import (
    SCHEDULE_EXAMPLE,
    RunsView,
    RunView,
    SchedulesView,
    ScheduleView,
    WholeScheduleView,
)
from postroom.identity import SCHEDULE, parse_id
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/schedules", tags=["schedules"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.SCHEDULES_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.SCHEDULES_WRITE))]
ScheduleId = Annotated[str, Path(description="The id of a schedule.", examples=[SCHEDULE_EXAMPLE])]
QUESTION = "schedules"


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(409, *WITH_BODY), summary="Make a schedule")
async def make_schedule(body: ScheduleBody, caller: Writer, key: NamedCall, response: Response) -> WholeScheduleView:
    """Send one message to an audience at every time that cron or a calendar names, in a zone."""
    made = await caller.services.schedules.add(caller.identity, body.terms(), key)
    response.headers.update(replay_header(replayed=made.replayed))
    return WholeScheduleView.of(made)


@router.get("", responses=refusals(), summary="List schedules")
async def list_schedules(caller: Reader, window: WindowQuery) -> SchedulesView:
    """Schedules of the tenant, newest first."""
    tenant_id, services = caller.identity.tenant_id, caller.services
    after = services.cursors.read(tenant_id, QUESTION, window.cursor)
    page = await services.schedules.page(tenant_id, (after, window.limit))
    return SchedulesView(
        items=[ScheduleView.of(standing) for standing in page.items],
        next_cursor=services.cursors.write(tenant_id, QUESTION, page.next_after),
    )


@router.get("/{id}", responses=refusals(404), summary="Read a schedule")
async def read_schedule(id: ScheduleId, caller: Reader) -> WholeScheduleView:  # noqa: A002 - the path's name
    """Return a schedule with its next five runs, in its own zone, and its last ten."""
    return WholeScheduleView.of(await caller.services.schedules.get(caller.identity.tenant_id, _id(id)))


@router.put("/{id}", responses=refusals(404, *WITH_BODY), summary="Write a schedule anew")
async def write_schedule(id: ScheduleId, body: ScheduleBody, caller: Writer) -> WholeScheduleView:  # noqa: A002
    """Replace a schedule as a whole; a run at work goes on as it began, and a schedule that had ended begins again."""
    written = await caller.services.schedules.replace(caller.identity.tenant_id, _id(id), body.terms())
    return WholeScheduleView.of(written)


@router.delete("/{id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404), summary="Delete a schedule")
async def delete_schedule(id: ScheduleId, caller: Writer) -> None:  # noqa: A002 - the path's name
    """Delete a schedule; a run at work stops at its next page, and what is written is sent."""
    await caller.services.schedules.remove(caller.identity.tenant_id, _id(id))


@router.post("/{id}/pause", responses=refusals(404, 409), summary="Pause a schedule")
async def pause_schedule(id: ScheduleId, caller: Writer) -> WholeScheduleView:  # noqa: A002 - the path's name
    """Let nothing come until it is resumed; a run at work stops at its next page."""
    return WholeScheduleView.of(await caller.services.schedules.pause(caller.identity.tenant_id, _id(id)))


@router.post("/{id}/resume", responses=refusals(404, 409), summary="Resume a schedule")
async def resume_schedule(id: ScheduleId, caller: Writer) -> WholeScheduleView:  # noqa: A002 - the path's name
    """Let it come again from now on; what it would have sent meanwhile is not made up for."""
    return WholeScheduleView.of(await caller.services.schedules.resume(caller.identity.tenant_id, _id(id)))


@router.post(
    "/{id}/trigger", status_code=HTTPStatus.ACCEPTED, responses=refusals(404, 409), summary="Run a schedule now"
)
async def trigger_schedule(id: ScheduleId, caller: Writer, key: NamedAction, response: Response) -> RunView:  # noqa: A002
    """Run it once now, paused or not, beside its times."""
    run, again = await caller.services.schedules.trigger(caller.identity.tenant_id, _id(id), key)
    response.headers.update(replay_header(replayed=again))
    return RunView.of(run)


@router.get("/{id}/runs", responses=refusals(404), summary="List the runs of a schedule")
async def list_runs(id: ScheduleId, caller: Reader, window: WindowQuery) -> RunsView:  # noqa: A002 - the path's name
    """What became of each firing, newest first, with the counts of its job."""
    services, tenant_id, schedule_id = caller.services, caller.identity.tenant_id, _id(id)
    question = f"runs {schedule_id}"
    after = services.cursors.read(tenant_id, question, window.cursor)
    page = await services.schedules.runs(tenant_id, schedule_id, (after, window.limit))
    return RunsView(
        items=[RunView.of(run) for run in page.items],
        next_cursor=services.cursors.write(tenant_id, question, page.next_after),
    )


def _id(text: str) -> UUID:
    return parse_id(SCHEDULE, text)
