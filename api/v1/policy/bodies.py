"""What a tenant decides about when and how often people are reached, and what is answered about it."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api.v1.body import Body
from api.v1.fields import TimeZone
from api.v1.policy.quiet_hours import QuietHoursBody
from postroom.contracts.vocabulary import MessageClass
from postroom.policy.house import PER_DAY, PER_HOUR, House, Limits

MOST = 2_000  # every place that a cap can look at is kept
EXAMPLE: dict[str, Any] = {
    "time_zone": "Europe/Paris",
    "quiet_hours": {"start": "22:00", "end": "08:00"},
    "caps": {"hour": 100, "day": 500, "per_class": {"marketing": {"hour": 2, "day": 5}}},
    "marketing_requires_consent": True,
}
Limit = Annotated[int, Field(ge=1, le=MOST)]


class LimitsBody(Body):
    """How many messages of one class a person gets over one channel in any hour and in any day."""

    hour: Limit | None = Field(default=None, description="In any 60 minutes.")
    day: Limit | None = Field(default=None, description="In any 24 hours.")


class ClassLimitsBody(Body):
    """Limits of their own; what is left out is as for all. Security is never kept back."""

    transactional: LimitsBody | None = None
    marketing: LimitsBody | None = None


class CapsBody(LimitsBody):
    """The limits of all classes, and of some."""

    per_class: ClassLimitsBody = Field(default_factory=ClassLimitsBody)


class PolicyBody(Body):
    """The whole policy; what is left out is as it was before anybody chose."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    time_zone: TimeZone | None = Field(
        default=None, description="For people whose own is unknown; without it, quiet hours do not apply to them."
    )
    quiet_hours: QuietHoursBody | None = Field(default=None, description="For people who chose none: 22:00 to 08:00.")
    caps: CapsBody = Field(default_factory=CapsBody)
    marketing_requires_consent: bool = False

    @model_validator(mode="after")
    def _days_have_hours(self) -> Self:
        house = House.read(self.stored())
        if any(one.day < one.hour for one in (house.limits, *house.class_limits.values())):
            raise PydanticCustomError("caps_conflict", "A day allows at least as many as one of its hours.")
        return self

    def stored(self) -> dict[str, Any]:
        """Return what is kept."""
        return {
            "time_zone": self.time_zone,
            "quiet_hours": self.quiet_hours.stored() if self.quiet_hours else None,
            "caps": self.caps.model_dump(exclude_none=True),
            "marketing_requires_consent": self.marketing_requires_consent,
        }


class LimitsView(BaseModel):
    """How many in any hour and in any day."""

    hour: int = Field(examples=[PER_HOUR])
    day: int = Field(examples=[PER_DAY])

    @classmethod
    def of(cls, limits: Limits) -> "LimitsView":
        """Describe limits."""
        return cls(hour=limits.hour, day=limits.day)


class CapsView(LimitsView):
    """The limits of all classes, and of each that is counted."""

    per_class: dict[str, LimitsView] = Field(examples=[{"marketing": {"hour": 2, "day": 5}}])


class PolicyView(BaseModel):
    """The policy that holds."""

    time_zone: str | None = Field(examples=["Europe/Paris"])
    quiet_hours: dict[str, Any] = Field(examples=[{"enabled": True, "start": "22:00", "end": "08:00"}])
    caps: CapsView
    marketing_requires_consent: bool = Field(examples=[True])

    @classmethod
    def of(cls, house: House) -> "PolicyView":
        """Describe a policy."""
        counted = (MessageClass.TRANSACTIONAL, MessageClass.MARKETING)
        limits = {str(one): LimitsView.of(house.class_limits.get(one, house.limits)) for one in counted}
        return cls(
            time_zone=house.time_zone,
            quiet_hours=house.quiet_hours.shown(),
            caps=CapsView(hour=house.limits.hour, day=house.limits.day, per_class=limits),
            marketing_requires_consent=house.marketing_requires_consent,
        )
