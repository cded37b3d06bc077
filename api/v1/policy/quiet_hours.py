"""What a caller writes about quiet hours."""

from datetime import time
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api.v1.body import Body
from api.v1.fields import Weekday
from postroom.policy.quiet_hours import QuietHours

WINDOWS = 28  # four for each day


def _clock(value: object) -> object:
    try:
        return time.fromisoformat(value).strftime("%H:%M") if isinstance(value, str) and len(value) == 5 else None  # noqa: PLR2004 - HH:MM
    except ValueError:
        return None


def _known(value: object) -> object:
    if (clock := _clock(value)) is None:
        raise PydanticCustomError("invalid_time", "Write a time of the day like 22:00.")
    return clock


Clock = Annotated[str, BeforeValidator(_known), Field(examples=["22:00"])]


class WindowBody(Body):
    """From a time to a time by the wall clock; past midnight when the end is the earlier."""

    days: list[Weekday] | None = Field(default=None, min_length=1, max_length=7, description="The days it starts on.")
    start: Clock
    end: Clock


class QuietHoursBody(Body):
    """One window every day, several windows, or none at all."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"start": "21:00", "end": "07:30"},
                {"windows": [{"days": ["sat", "sun"], "start": "20:00", "end": "10:00"}]},
                {"enabled": False},
            ]
        },
    )

    enabled: bool = True
    start: Clock | None = None
    end: Clock | None = None
    windows: list[WindowBody] | None = Field(default=None, max_length=WINDOWS)

    @model_validator(mode="after")
    def _is_one_of_three(self) -> "QuietHoursBody":
        own = self.start is not None and self.end is not None
        if (self.start is None) != (self.end is None) or (own and self.windows is not None):
            raise PydanticCustomError("quiet_hours_conflict", "Give start and end, or windows.")
        if self.enabled and not own and self.windows is None:
            raise PydanticCustomError("quiet_hours_conflict", "Give start and end, or windows, or enabled: false.")
        if not QuietHours.read(self.stored()).ever_end():
            raise PydanticCustomError("quiet_hours_never_end", "These windows leave no moment of a week.")
        return self

    def stored(self) -> dict[str, Any]:
        """Return what is kept."""
        return self.model_dump(mode="json", exclude_none=True, exclude_unset=True)
