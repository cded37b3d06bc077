"""Routes that read and write a tenant's policy, and try it out."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.policy.bodies import PolicyBody, PolicyView
from api.v1.policy.dry_run import DryRunBody, DryRunView
from api.v1.refusals import WITH_BODY, refusals
from postroom.tenants.keys import Scope

router = APIRouter(tags=["policy"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.POLICY_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.POLICY_WRITE))]


@router.get("/settings/policy", responses=refusals(), summary="Read the policy")
async def read_policy(caller: Reader) -> PolicyView:
    """Return what holds: what the tenant chose, and the defaults for the rest."""
    return PolicyView.of(await caller.services.policies.get(caller.identity.tenant_id))


@router.put("/settings/policy", responses=refusals(*WITH_BODY), summary="Replace the policy")
async def replace_policy(body: PolicyBody, caller: Writer) -> PolicyView:
    """Replace the policy. It counts from the next decision on; what waits already is decided again at its time."""
    return PolicyView.of(await caller.services.policies.put(caller.identity.tenant_id, body.stored()))


@router.post("/policy/dry-run", responses=refusals(*WITH_BODY), summary="Ask what would become of a message")
async def dry_run(body: DryRunBody, caller: Reader) -> DryRunView:
    """Tell whether a person would get such a message now, or at another time, and what every rule has to say about it.

    Nothing is sent or written, and no place under a cap is taken.
    """
    outlook = await caller.services.trial.ask(caller.identity.tenant_id, body.question())
    return DryRunView.of(body.user_id, outlook)
