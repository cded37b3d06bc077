"""Routes by which a task goes through its review."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field, StringConstraints

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.body import Body
from api.v1.examples import HASH_EXAMPLE
from api.v1.refusals import WITH_BODY, refusals
from api.v1.tasks.routes import TaskId, Writer, shown_task, task_id
from api.v1.tasks.views import TaskView
from api.v1.templates.reviews import ReasonBody
from postroom.campaigns.planning.approval import Seen
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/tasks/{id}", tags=["tasks"], route_class=PatientRoute)

Approver = Annotated[Caller, Depends(Key(Scope.CAMPAIGNS_APPROVE))]
MOST_PEOPLE = 2**31 - 1


class TaskApprovalBody(Body):
    """What the reviewer saw."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"content_hash": HASH_EXAMPLE, "audience": 120000}]}
    )

    content_hash: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] = Field(
        description="`approval.content_hash` of the task, as it was read."
    )
    audience: int = Field(ge=0, le=MOST_PEOPLE, strict=True, description="`approval.audience`, as it was read.")


@router.post("/submit", responses=refusals(404, 409), summary="Ask for a review of a task")
async def submit_task(id: TaskId, caller: Writer) -> TaskView:  # noqa: A002 - the path's name
    """Check everything a launch would, pin what is said, count the audience, and have somebody else look at it."""
    submitted = await caller.services.approvals.submit(caller.identity, task_id(id))
    return await shown_task(caller, submitted.id)


@router.post("/approve", responses=refusals(404, 409, *WITH_BODY), summary="Approve a task")
async def approve_task(id: TaskId, body: TaskApprovalBody, caller: Approver) -> TaskView:  # noqa: A002
    """Let a task be launched. No key that wrote or submitted it can, and what is approved is what was seen."""
    seen = Seen(bytes.fromhex(body.content_hash), body.audience)
    approved = await caller.services.approvals.approve(caller.identity, task_id(id), seen)
    return await shown_task(caller, approved.id)


@router.post("/reject", responses=refusals(404, 409, *WITH_BODY), summary="Reject a task")
async def reject_task(id: TaskId, body: ReasonBody, caller: Approver) -> TaskView:  # noqa: A002 - the path's name
    """Turn a task down, approved or not; it is a draft again."""
    rejected = await caller.services.approvals.reject(caller.identity, task_id(id), body.reason)
    return await shown_task(caller, rejected.id)


@router.post("/withdraw", responses=refusals(404, 409), summary="Take a task out of its review")
async def withdraw_task(id: TaskId, caller: Writer) -> TaskView:  # noqa: A002 - the path's name
    """Make a task that is in review, approved or not, a draft again, so that it can be changed."""
    withdrawn = await caller.services.approvals.withdraw(caller.identity, task_id(id))
    return await shown_task(caller, withdrawn.id)
