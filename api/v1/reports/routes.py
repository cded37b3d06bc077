"""Routes of reports: of a task, of a campaign, and a task's as it moves."""

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from time import monotonic
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.campaigns.routes import CampaignId
from api.v1.refusals import refusals
from api.v1.reports.campaign_views import CampaignReportView
from api.v1.reports.sight_views import SIGHT_EXAMPLE, SightView
from api.v1.reports.task_views import TaskReportView
from api.v1.tasks.routes import TaskId
from postroom.identity import CAMPAIGN, TASK, parse_id
from postroom.reports.watching import Watch
from postroom.statistics.question import Bucket
from postroom.tenants.keys import Scope

router = APIRouter(tags=["reports"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.CAMPAIGNS_READ))]
LastEventId = Annotated[str | None, Header(description="The last event seen: it is not told again.", max_length=64)]
HEARTBEAT_SECONDS = 15.0
LIFE_SECONDS = 300.0  # then the caller comes again, with a key that is proved again
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `report`, at most one a second, and `end` once the task is over.",
        "content": {"text/event-stream": {"example": f"id: 5f2b9c01\nevent: report\ndata: {SIGHT_EXAMPLE}\n\n"}},
    }
}


@router.get("/tasks/{id}/report", responses=refusals(404), summary="Report on a task")
async def report_task(
    id: TaskId,  # noqa: A002 - the path's name
    caller: Reader,
    bucket: Annotated[
        Bucket | None, Query(description="Of the timeline; by default what makes some hundred of them.")
    ] = None,
) -> TaskReportView:
    """What became of everybody in the audience, live: counted from the rows, and always the sum of its parts."""
    task_id = parse_id(TASK, id)
    report, chosen = await caller.services.reports.of_task(caller.identity.tenant_id, task_id, bucket)
    return TaskReportView.reported(report, chosen)


@router.get("/campaigns/{id}/report", responses=refusals(404), summary="Report on a campaign")
async def report_campaign(id: CampaignId, caller: Reader) -> CampaignReportView:  # noqa: A002 - the path's name
    """The newest tasks of a campaign and their sums; somebody in the audience of two of them counts twice."""
    campaign_id = parse_id(CAMPAIGN, id)
    return CampaignReportView.of(await caller.services.reports.of_campaign(caller.identity.tenant_id, campaign_id))


@router.get(
    "/tasks/{id}/report/stream",
    response_class=StreamingResponse,
    responses={**refusals(404), **STREAM},
    summary="Watch a task",
)
async def watch_task(
    id: TaskId,  # noqa: A002 - the path's name
    caller: Reader,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """Server-sent events: how the task stands at once, and again whenever that changes, at most every second."""
    who = caller.identity
    task_id = parse_id(TASK, id)
    watch = await caller.services.watching.enter(who.tenant_id, task_id, who.key_id)
    return Stream(caller, task_id, watch, last_event_id)


class Stream(StreamingResponse):
    """The answer to one watcher; looks away however it ends."""

    media_type = "text/event-stream"

    def __init__(self, caller: Caller, task_id: UUID, watch: Watch, seen: str | None) -> None:
        super().__init__(events(watch, seen), headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        who = caller.identity
        self._leaving = (who.tenant_id, task_id, who.key_id, watch)
        self._watching = caller.services.watching

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Answer until the task is over, the watcher gone, or the process to end."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._watching.leave(*self._leaving)


async def events(watch: Watch, seen: str | None) -> AsyncIterator[str]:
    """Spell what a watch sees as events; what the watcher has `seen` is not told again."""
    number, until = 0, monotonic() + LIFE_SECONDS
    yield "retry: 2000\n\n"
    while monotonic() < until:
        if not await watch.news(number, HEARTBEAT_SECONDS):
            yield ": still here\n\n"
            continue
        sight = watch.sight
        if sight is not None and watch.number > number:
            number = watch.number
            data, name = spelled(SightView.seen(sight))
            if name != seen:
                yield f"id: {name}\nevent: report\ndata: {data}\n\n"
                seen = name
            if sight.summary.task.over:
                yield "event: end\ndata: {}\n\n"
                return
        if watch.closed:
            return


def spelled(view: SightView) -> tuple[str, str]:
    """Spell what is seen, and its name: the same for the same standing, in whichever process it was read."""
    standing = view.model_dump(mode="json", exclude={"as_of", "per_minute", "estimated_end_at"})
    name = sha256(json.dumps(standing, sort_keys=True).encode()).hexdigest()[:16]
    return view.model_dump_json(), name
