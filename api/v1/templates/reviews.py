"""Routes by which a version goes through its review, and the rules of it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.body import Body
from api.v1.examples import HASH_EXAMPLE
from api.v1.numbered import after_number, shown
from api.v1.parameters import WindowQuery
from api.v1.refusals import WITH_BODY, refusals
from api.v1.templates.routes import Number, Reader, TemplateRef, Writer
from api.v1.templates.views import EventsView, EventView, VersionView
from postroom.templates.records import Ref
from postroom.templates.review import Step
from postroom.tenants.keys import Scope

router = APIRouter(tags=["templates"], route_class=PatientRoute)

Approver = Annotated[Caller, Depends(Key(Scope.TEMPLATES_APPROVE))]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500)]
VERSION = "/templates/{ref}/versions/{number}"
QUESTION = "review events"


class ApprovalBody(Body):
    """What the reviewer saw."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"content_hash": HASH_EXAMPLE}]})

    content_hash: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] = Field(
        description="`content_hash` of the version, as it was read."
    )


class ReasonBody(Body):
    """Why, for others to read."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "The link is wrong."}]})

    reason: Reason | None = None


class ReviewBody(Body):
    """Whether somebody else than the author must approve a version before it is sent."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"required": False}]})

    required: bool


class ReviewView(BaseModel):
    """Whether somebody else than the author must approve a version before it is sent."""

    required: bool = Field(examples=[True])


@router.post(f"{VERSION}/submit", responses=refusals(404, 409), summary="Ask for a review")
async def submit_version(ref: TemplateRef, number: Number, caller: Writer) -> VersionView:
    """Bring a draft into review; where the tenant has switched review off, it is approved at once."""
    return VersionView.of(await caller.services.review.submit(caller.identity, Step(Ref.read(ref), number)))


@router.post(f"{VERSION}/approve", responses=refusals(404, 409, *WITH_BODY), summary="Approve a version")
async def approve_version(ref: TemplateRef, number: Number, body: ApprovalBody, caller: Approver) -> VersionView:
    """Let a version be sent. The key that wrote it cannot, and what is approved is what was seen."""
    step = Step(Ref.read(ref), number, seen=bytes.fromhex(body.content_hash))
    return VersionView.of(await caller.services.review.approve(caller.identity, step))


@router.post(f"{VERSION}/reject", responses=refusals(404, 409, *WITH_BODY), summary="Reject a version")
async def reject_version(ref: TemplateRef, number: Number, body: ReasonBody, caller: Approver) -> VersionView:
    """Turn down a version that is in review; its author writes another."""
    step = Step(Ref.read(ref), number, reason=body.reason)
    return VersionView.of(await caller.services.review.reject(caller.identity, step))


@router.post(f"{VERSION}/retire", responses=refusals(404, 409, *WITH_BODY), summary="Retire a version")
async def retire_version(ref: TemplateRef, number: Number, body: ReasonBody, caller: Approver) -> VersionView:
    """Accept nothing more with a version; what was accepted with it is sent all the same."""
    step = Step(Ref.read(ref), number, reason=body.reason)
    return VersionView.of(await caller.services.review.retire(caller.identity, step))


@router.get("/settings/review", responses=refusals(), summary="Read the rules of review")
async def read_rules(caller: Reader) -> ReviewView:
    """Whether versions need a second pair of eyes; they do unless it was switched off."""
    return ReviewView(required=await caller.services.review_rules.required(caller.identity.tenant_id))


@router.put("/settings/review", responses=refusals(*WITH_BODY), summary="Switch review on or off")
async def switch_review(body: ReviewBody, caller: Approver) -> ReviewView:
    """Without review, what is saved from now on is approved at once; the switch is noted like every approval."""
    await caller.services.review_rules.switch(caller.identity, required=body.required)
    return ReviewView(required=body.required)


@router.get("/settings/review/events", responses=refusals(), summary="Read who switched review")
async def list_switches(caller: Reader, window: WindowQuery) -> EventsView:
    """Who switched review on and off, newest first."""
    asked = after_number(caller, QUESTION, window)
    found = await caller.services.review_rules.events(caller.identity.tenant_id, asked)
    items, cursor = shown(caller, QUESTION, (found, window.limit), lambda one: one.id)
    return EventsView(items=[EventView.of(one) for one in items], next_cursor=cursor)
