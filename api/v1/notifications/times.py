"""What a caller writes about time, for a new notification and for one that waits."""

from datetime import datetime

from pydantic import ConfigDict, Field

from api.v1.body import Body
from api.v1.fields import Duration, Moment, TimeZone
from postroom.errors import Invalid
from postroom.notifications.schedule import Schedule, instant_in_zone


class When(Body):
    """A time, or a delay; without either, now."""

    scheduled_at: Moment | None = Field(
        default=None,
        description="RFC 3339 with an offset; with `time_zone`, the wall-clock time there without one.",
        examples=["2026-12-24T18:00:00Z"],
    )
    time_zone: TimeZone | None = None
    delay: Duration | None = Field(default=None, description="Seconds, or an ISO 8601 duration.")

    def schedule(self) -> Schedule:
        """Put the three fields together.

        Raises:
            Invalid: they contradict each other.
        """
        at = self.scheduled_at
        if at is not None and self.delay is not None:
            raise Invalid.at("/delay", "schedule_conflict", "Give a time or a delay, not both.")
        if self.time_zone is not None and (at is None or at.tzinfo is not None):
            detail = "A time zone goes with a scheduled_at that has no offset."
            raise Invalid.at("/time_zone", "schedule_conflict", detail)
        if at is not None and at.tzinfo is None:
            at = self._instant(at)
        return Schedule(at, self.delay)

    def _instant(self, local: datetime) -> datetime:
        if self.time_zone is None:
            detail = "A time needs its offset from UTC, such as Z or +02:00, or a time_zone."
            raise Invalid.at("/scheduled_at", "offset_required", detail)
        try:
            return instant_in_zone(local, self.time_zone)
        except OverflowError:
            raise Invalid.at("/scheduled_at", "invalid_time", "There is no such time.") from None


class Rescheduling(When):
    """The new time of a notification."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"scheduled_at": "2026-12-24T18:00:00Z"}, {"delay": 3600}]}
    )

    def schedule(self) -> Schedule:
        """Return the new time; one of the two must be there."""
        if self.scheduled_at is None and self.delay is None:
            raise Invalid.at("", "schedule_required", "Give scheduled_at or delay.")
        return super().schedule()
