"""Routes by which a task that was launched is steered, and by which its story is read."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response

from api.dependencies import Caller
from api.patience import PatientRoute
from api.v1.numbered import after_number, shown
from api.v1.parameters import PathUserId, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.tasks.bodies import PaceBody, RetryBody, SkipBody
from api.v1.tasks.routes import Reader, TaskId, Writer, task_id
from api.v1.tasks.story_views import RecipientStoryView, RetriedView, SkippedView, TaskEventsView, TaskEventView
from api.v1.tasks.views import SignalView
from postroom.campaigns.models import TaskReason
from postroom.campaigns.steering.control import Signal
from postroom.campaigns.transitions import Action

router = APIRouter(prefix="/tasks/{id}", tags=["tasks"], route_class=PatientRoute)

LATER: dict[int | str, dict[str, Any]] = {
    202: {"model": SignalView, "description": "Nothing leaves any more; open hand-offs are waited for"}
}


@router.post("/pause", responses=refusals(404, 409), summary="Pause a task")
async def pause_task(id: TaskId, caller: Writer) -> SignalView:  # noqa: A002 - the path's name
    """Let nothing leave until it is resumed; over a pause that the house would end by itself, this one goes."""
    return await _signalled(caller, id, Signal(Action.PAUSE))


@router.post("/resume", responses=refusals(404, 409), summary="Resume a task")
async def resume_task(id: TaskId, caller: Writer) -> SignalView:  # noqa: A002 - the path's name
    """Go on where it was paused."""
    return await _signalled(caller, id, Signal(Action.RESUME))


@router.post("/cancel", responses=refusals(404, 409) | LATER, summary="Cancel a task")
async def cancel_task(id: TaskId, caller: Writer, response: Response) -> SignalView:  # noqa: A002 - the path's name
    """Let nothing leave any more, for good: `cancelled`, or `cancelling` while recipients are still accounted for."""
    view = await _signalled(caller, id, Signal(Action.CANCEL))
    if view.outcome == TaskReason.CANCELLING:
        response.status_code = HTTPStatus.ACCEPTED
    return view


@router.put("/pace", responses=refusals(404, 409, *WITH_BODY), summary="Change the pace of a task")
async def pace_task(id: TaskId, body: PaceBody, caller: Writer) -> SignalView:  # noqa: A002 - the path's name
    """Go faster or slower from now on; an empty body means as fast as is allowed."""
    return await _signalled(caller, id, Signal(Action.PACE, body.pace()))


@router.post("/skip", responses=refusals(404, 409, *WITH_BODY), summary="Leave people out of a task")
async def skip_recipients(id: TaskId, body: SkipBody, caller: Writer) -> SkippedView:  # noqa: A002
    """Leave out who has not got it yet; says of each what became of that."""
    return SkippedView.of(await caller.services.corrections.skip(caller.identity, task_id(id), body.users()))


@router.post("/retry", responses=refusals(404, 409, *WITH_BODY), summary="Retry what failed in a task")
async def retry_task(id: TaskId, body: RetryBody, caller: Writer) -> RetriedView:  # noqa: A002 - the path's name
    """Take up again what failed, by class and reason, also when the task is over; says how many that were."""
    retried = await caller.services.corrections.retry(caller.identity, task_id(id), body.failures())
    return RetriedView.of(retried)


@router.get("/events", responses=refusals(404), summary="Read what was done with a task")
async def list_task_events(id: TaskId, caller: Reader, window: WindowQuery) -> TaskEventsView:  # noqa: A002
    """Who did what with a task, and what the house did by itself, newest first."""
    question = f"task events {id}"
    asked = after_number(caller, question, window)
    found = await caller.services.task_stories.events(caller.identity.tenant_id, task_id(id), asked)
    items, cursor = shown(caller, question, (found, window.limit), lambda one: one.id)
    return TaskEventsView(items=[TaskEventView.of(one) for one in items], next_cursor=cursor)


@router.get("/recipients/{user_id}", responses=refusals(404), summary="Read why somebody got it or not")
async def read_recipient(id: TaskId, user_id: PathUserId, caller: Reader) -> RecipientStoryView:  # noqa: A002
    """Return the state of one person in a task, its reason, and every attempt; also of who is not in its audience."""
    story = await caller.services.task_stories.recipient(caller.identity.tenant_id, task_id(id), user_id)
    return RecipientStoryView.of(story, user_id)


async def _signalled(caller: Caller, public: str, signal: Signal) -> SignalView:
    task = await caller.services.task_control.signal(caller.identity, task_id(public), signal)
    return SignalView.of(task, signal.outcome)
