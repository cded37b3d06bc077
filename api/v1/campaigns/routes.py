"""Routes of campaigns: what holds tasks together, and signals to all tasks of one that run."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.campaigns.bodies import CampaignBody
from api.v1.campaigns.views import CampaignsView, CampaignView
from api.v1.examples import CAMPAIGN_EXAMPLE
from api.v1.numbered import after_id, shown
from api.v1.parameters import NamedCall, WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.replays import replay_header
from api.v1.tasks.bodies import PaceBody, RetryBody, SkipBody, TermsBody
from api.v1.tasks.story_views import RetriedTasksView, RetriedView, SkippedTasksView, SkippedView
from api.v1.tasks.views import SignalsView, TaskView
from postroom.campaigns.models import CampaignState, TaskReason
from postroom.campaigns.steering.control import Signal
from postroom.campaigns.transitions import Action
from postroom.identity import CAMPAIGN, parse_id
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/campaigns", tags=["campaigns"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.CAMPAIGNS_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.CAMPAIGNS_WRITE))]
CampaignId = Annotated[str, Path(description="The id of a campaign.", examples=[CAMPAIGN_EXAMPLE])]
LATER: dict[int | str, dict[str, Any]] = {
    202: {"model": SignalsView, "description": "Nothing leaves any more; open hand-offs are waited for"}
}


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(409, *WITH_BODY), summary="Make a campaign")
async def make_campaign(body: CampaignBody, caller: Writer, key: NamedCall, response: Response) -> CampaignView:
    """Make a campaign; tasks are put into it."""
    made, replayed = await caller.services.campaigns.add(caller.identity, body.title(), key)
    response.headers.update(replay_header(replayed=replayed))
    return CampaignView.of(made)


@router.post(
    "/send", status_code=HTTPStatus.ACCEPTED, responses=refusals(403, 409, *WITH_BODY), summary="Send a campaign"
)
async def send_campaign(body: TermsBody, caller: Writer, key: NamedCall, response: Response) -> TaskView:
    """Make a campaign with one task and launch it, all or nothing; where the tenant has review, it is submitted."""
    made, replayed = await caller.services.launches.send(caller.identity, body.terms(), key)
    response.headers.update(replay_header(replayed=replayed))
    return TaskView.of(await caller.services.task_stories.standing(caller.identity.tenant_id, made.id), caller)


@router.get("", responses=refusals(), summary="List campaigns")
async def list_campaigns(
    caller: Reader,
    window: WindowQuery,
    state: Annotated[CampaignState, Query(examples=["archived"])] = CampaignState.ACTIVE,
) -> CampaignsView:
    """Campaigns of the tenant, newest first: the active ones, or those that were archived."""
    question = f"campaigns {state}"
    asked = after_id(caller, question, window)
    found = await caller.services.campaigns.page(caller.identity.tenant_id, state, asked)
    items, cursor = shown(caller, question, (found, window.limit), lambda one: one.id)
    return CampaignsView(items=[CampaignView.of(one) for one in items], next_cursor=cursor)


@router.get("/{id}", responses=refusals(404), summary="Read a campaign")
async def read_campaign(id: CampaignId, caller: Reader) -> CampaignView:  # noqa: A002 - the path's name
    """Return a campaign, with its tasks counted by state."""
    return CampaignView.of(await caller.services.campaigns.get(caller.identity.tenant_id, _id(id)))


@router.put("/{id}", responses=refusals(404, 409, *WITH_BODY), summary="Rename a campaign")
async def write_campaign(id: CampaignId, body: CampaignBody, caller: Writer) -> CampaignView:  # noqa: A002
    """Replace name and description of a campaign that is not archived."""
    written = await caller.services.campaigns.replace(caller.identity.tenant_id, _id(id), body.title())
    return CampaignView.of(written)


@router.delete("/{id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404, 409), summary="Archive a campaign")
async def archive_campaign(id: CampaignId, caller: Writer) -> None:  # noqa: A002 - the path's name
    """Put a campaign away; not while one of its tasks is under way. What became of its tasks can still be read."""
    await caller.services.campaigns.archive(caller.identity.tenant_id, _id(id))


@router.post("/{id}/pause", responses=refusals(404), summary="Pause a campaign")
async def pause_campaign(id: CampaignId, caller: Writer) -> SignalsView:  # noqa: A002 - the path's name
    """Pause every task of it that is scheduled or sends."""
    return await _signalled(caller, id, Signal(Action.PAUSE))


@router.post("/{id}/resume", responses=refusals(404), summary="Resume a campaign")
async def resume_campaign(id: CampaignId, caller: Writer) -> SignalsView:  # noqa: A002 - the path's name
    """Resume every task of it that is paused."""
    return await _signalled(caller, id, Signal(Action.RESUME))


@router.post("/{id}/cancel", responses=refusals(404) | LATER, summary="Cancel a campaign")
async def cancel_campaign(id: CampaignId, caller: Writer, response: Response) -> SignalsView:  # noqa: A002
    """Cancel every task of it that is under way, for good."""
    view = await _signalled(caller, id, Signal(Action.CANCEL))
    if view.status == TaskReason.CANCELLING:
        response.status_code = HTTPStatus.ACCEPTED
    return view


@router.put("/{id}/pace", responses=refusals(404, *WITH_BODY), summary="Change the pace of a campaign")
async def pace_campaign(id: CampaignId, body: PaceBody, caller: Writer) -> SignalsView:  # noqa: A002
    """Give every task of it that is under way this pace, each for itself."""
    return await _signalled(caller, id, Signal(Action.PACE, body.pace()))


@router.post("/{id}/skip", responses=refusals(404, *WITH_BODY), summary="Leave people out of a campaign")
async def skip_in_campaign(id: CampaignId, body: SkipBody, caller: Writer) -> SkippedTasksView:  # noqa: A002
    """Leave people out of every task of it that sends."""
    skipped = await caller.services.corrections.skip_all(caller.identity, _id(id), body.users())
    return SkippedTasksView(items=[SkippedView.of(one) for one in skipped])


@router.post("/{id}/retry", responses=refusals(404, 409, *WITH_BODY), summary="Retry what failed in a campaign")
async def retry_campaign(id: CampaignId, body: RetryBody, caller: Writer) -> RetriedTasksView:  # noqa: A002
    """Take up again what failed in every task of it that was sent."""
    found = await caller.services.corrections.retry_all(caller.identity, _id(id), body.failures())
    items = [RetriedView.of(one) for one in found]
    return RetriedTasksView(items=items, retried=sum(one.retried for one in items))


async def _signalled(caller: Caller, public: str, signal: Signal) -> SignalsView:
    tasks = await caller.services.task_control.signal_all(caller.identity, _id(public), signal)
    return SignalsView.of(tasks, signal.outcome)


def _id(text: str) -> UUID:
    return parse_id(CAMPAIGN, text)
