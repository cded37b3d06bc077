"""Routes of tasks: bulk sends as they are written, read, reviewed and launched."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.examples import CAMPAIGN_EXAMPLE, TASK_EXAMPLE
from api.v1.numbered import after_id, shown
from api.v1.parameters import NamedAction, NamedCall, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from api.v1.tasks.bodies import TaskBody, TaskChange
from api.v1.tasks.views import TasksView, TaskView
from postroom.campaigns.task_rows import TaskFilters
from postroom.contracts.vocabulary import TaskState
from postroom.identity import CAMPAIGN, TASK, parse_id
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/tasks", tags=["tasks"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.CAMPAIGNS_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.CAMPAIGNS_WRITE))]
TaskId = Annotated[str, Path(description="The id of a task.", examples=[TASK_EXAMPLE])]


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(404, 409, *WITH_BODY), summary="Make a task")
async def make_task(body: TaskBody, caller: Writer, key: NamedCall, response: Response) -> TaskView:
    """Make a draft of a bulk send in a campaign."""
    drafts, campaign_id = caller.services.drafts, parse_id(CAMPAIGN, body.campaign_id)
    made, replayed = await drafts.add(caller.identity, campaign_id, body.terms(), key)
    return await _made(caller, made.id, response, replayed=replayed)


@router.get("", responses=refusals(404), summary="List tasks")
async def list_tasks(
    caller: Reader,
    window: WindowQuery,
    campaign_id: Annotated[str | None, Query(examples=[CAMPAIGN_EXAMPLE])] = None,
    state: Annotated[TaskState | None, Query(examples=["sending"])] = None,
) -> TasksView:
    """Tasks of the tenant, newest first, each with its live counts."""
    filters = TaskFilters(parse_id(CAMPAIGN, campaign_id) if campaign_id else None, state)
    question = f"tasks {filters.campaign_id} {state}"
    asked = after_id(caller, question, window)
    found = await caller.services.task_stories.page(caller.identity.tenant_id, filters, asked)
    items, cursor = shown(caller, question, (found, window.limit), lambda one: one.task.id)
    return TasksView(items=[TaskView.of(one, caller) for one in items], next_cursor=cursor)


@router.get("/{id}", responses=refusals(404), summary="Read a task")
async def read_task(id: TaskId, caller: Reader) -> TaskView:  # noqa: A002 - the path's name
    """Return a task with its terms, its review and its recipients counted by state, exact at this moment."""
    return await shown_task(caller, task_id(id))


@router.put("/{id}", responses=refusals(404, 409, *WITH_BODY), summary="Write a draft anew")
async def write_task(id: TaskId, body: TaskChange, caller: Writer) -> TaskView:  # noqa: A002 - the path's name
    """Replace the terms of a draft as a whole; a change takes back what was approved before."""
    written = await caller.services.drafts.replace(caller.identity, task_id(id), body.terms(), body.version)
    return await shown_task(caller, written.id)


@router.delete("/{id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404, 409), summary="Delete a draft")
async def delete_task(id: TaskId, caller: Writer) -> None:  # noqa: A002 - the path's name
    """Delete a task that is a draft."""
    await caller.services.drafts.remove(caller.identity, task_id(id))


@router.post(
    "/{id}/duplicate", status_code=HTTPStatus.CREATED, responses=refusals(404, 409), summary="Duplicate a task"
)
async def duplicate_task(id: TaskId, caller: Writer, key: NamedAction, response: Response) -> TaskView:  # noqa: A002
    """Make a draft with the same terms in the same campaign; a plan that has passed is left out."""
    made, replayed = await caller.services.drafts.duplicate(caller.identity, task_id(id), key)
    return await _made(caller, made.id, response, replayed=replayed)


@router.post("/{id}/launch", status_code=HTTPStatus.ACCEPTED, responses=refusals(404, 409), summary="Launch a task")
async def launch_task(id: TaskId, caller: Writer, key: NamedAction, response: Response) -> TaskView:  # noqa: A002
    """Check everything, pin what is said, and let it begin at its time; of two launches one wins."""
    launched, replayed = await caller.services.launches.launch(caller.identity, task_id(id), key)
    return await _made(caller, launched.id, response, replayed=replayed)


async def _made(caller: Caller, made: UUID, response: Response, *, replayed: bool) -> TaskView:
    response.headers.update(replay_header(replayed=replayed))
    return await shown_task(caller, made)


async def shown_task(caller: Caller, found: UUID) -> TaskView:
    """Describe a task as it stands now."""
    return TaskView.of(await caller.services.task_stories.standing(caller.identity.tenant_id, found), caller)


def task_id(text: str) -> UUID:
    """Read the id of a task; a malformed one names nothing."""
    return parse_id(TASK, text)
