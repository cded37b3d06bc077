"""Routes that read and write when a tenant's tasks stop themselves."""

import math
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.body import Body
from api.v1.refusals import WITH_BODY, refusals
from postroom.errors import Invalid
from postroom.guard_rails.rails import BOUNCES, REFUSALS, Burst, Limits, Rail, Share
from postroom.tenants.keys import Scope

router = APIRouter(tags=["campaigns"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.CAMPAIGNS_READ))]
Approver = Annotated[Caller, Depends(Key(Scope.CAMPAIGNS_APPROVE))]
Percent = Annotated[float, Field(gt=0, le=100)]
MOST = 1_000_000
A_DAY = 1_440
EXAMPLE: dict[str, Any] = {
    "bounce_rate": {"warn_percent": 2, "pause_percent": 4, "minimum_sample": 500},
    "policy_refusals": {"pause_count": 20, "within_minutes": 5},
}


class ShareBody(Body):
    """So many of a hundred; null switches the warning, or the pause, off. What is left out is the default."""

    warn_percent: Percent | None = None
    pause_percent: Percent | None = None
    minimum_sample: int | None = Field(default=None, ge=1, le=MOST, description="Fewer say nothing.")


class BurstBody(Body):
    """So many within a time; null switches the rail off. What is left out is the default."""

    pause_count: int | None = Field(default=REFUSALS.pause_count, ge=1, le=MOST)
    within_minutes: int = Field(default=REFUSALS.within_minutes, ge=1, le=A_DAY)


class GuardRailsBody(Body):
    """All rails; those left out are as before anybody chose."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    bounce_rate: ShareBody = Field(default_factory=ShareBody)
    complaint_rate: ShareBody = Field(default_factory=ShareBody)
    policy_refusals: BurstBody = Field(default_factory=BurstBody)
    render_failures: ShareBody = Field(default_factory=ShareBody)

    def stored(self) -> dict[str, Any]:
        """Return what is kept: what was named.

        Raises:
            Invalid: a rail would warn no sooner than it pauses.
        """
        chosen = {
            rail: {name: value for name, value in said.items() if (name, value) != ("minimum_sample", None)}
            for rail, said in self.model_dump(exclude_unset=True).items()
        }
        limits = Limits.read(chosen)
        shares = {
            Rail.BOUNCE_RATE: limits.bounce_rate,
            Rail.COMPLAINT_RATE: limits.complaint_rate,
            Rail.RENDER_FAILURES: limits.render_failures,
        }
        for rail, share in shares.items():
            if (share.warn_percent or 0) >= (share.pause_percent or math.inf):
                detail = (
                    f"It warns at {share.warn_percent} %: write less than {share.pause_percent}, or null for never."
                )
                raise Invalid.at(f"/{rail}/warn_percent", "warning_after_pause", detail)
        return chosen


class ShareView(BaseModel):
    """So many of a hundred, once the sample is large enough; null never warns, or never pauses."""

    warn_percent: float | None = Field(examples=[BOUNCES.warn_percent])
    pause_percent: float | None = Field(examples=[BOUNCES.pause_percent])
    minimum_sample: int = Field(examples=[BOUNCES.minimum_sample])

    @classmethod
    def of(cls, one: Share) -> Self:
        """Describe a rail."""
        return cls(warn_percent=one.warn_percent, pause_percent=one.pause_percent, minimum_sample=one.minimum_sample)


class BurstView(BaseModel):
    """So many within a time; null never pauses."""

    pause_count: int | None = Field(examples=[REFUSALS.pause_count])
    within_minutes: int = Field(examples=[REFUSALS.within_minutes])

    @classmethod
    def of(cls, one: Burst) -> Self:
        """Describe a rail."""
        return cls(pause_count=one.pause_count, within_minutes=one.within_minutes)


class GuardRailsView(BaseModel):
    """The rails that hold."""

    bounce_rate: ShareView = Field(description="Unknown mailboxes and permanent bounces, of all offered.")
    complaint_rate: ShareView = Field(description="Complaints, of all accepted.")
    policy_refusals: BurstView = Field(
        description="Refusals for policy (5.7.x).", examples=[{"pause_count": 50, "within_minutes": 10}]
    )
    render_failures: ShareView = Field(description="Messages that could not be put into words, of all that were tried.")

    @classmethod
    def of(cls, limits: Limits) -> Self:
        """Describe the rails."""
        return cls(
            bounce_rate=ShareView.of(limits.bounce_rate),
            complaint_rate=ShareView.of(limits.complaint_rate),
            policy_refusals=BurstView.of(limits.policy_refusals),
            render_failures=ShareView.of(limits.render_failures),
        )


@router.get("/settings/guard-rails", responses=refusals(), summary="Read the guard rails")
async def read_guard_rails(caller: Reader) -> GuardRailsView:
    """Return what holds: what the tenant chose, and the defaults for the rest."""
    return GuardRailsView.of(await caller.services.guard_rails.get(caller.identity.tenant_id))


@router.put("/settings/guard-rails", responses=refusals(*WITH_BODY), summary="Replace the guard rails")
async def replace_guard_rails(body: GuardRailsBody, caller: Approver) -> GuardRailsView:
    """Replace the guard rails, which needs the scope of those who approve. They count within seconds."""
    return GuardRailsView.of(await caller.services.guard_rails.put(caller.identity.tenant_id, body.stored()))
