"""What may be asked of the statistics, and how much of it at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from postroom.errors import Invalid


class Bucket(StrEnum):
    """How long one step of time is."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


class Grouping(StrEnum):
    """By what a count is told apart."""

    CHANNEL = "channel"
    TYPE = "type"
    PROVIDER = "provider"
    STATE = "state"
    REASON = "reason"
    PRIORITY = "priority"


class Counted(StrEnum):
    """What is counted: what was asked for, or each message to one address over one channel."""

    NOTIFICATIONS = "notifications"
    DELIVERIES = "deliveries"


LONGEST = {Bucket.MINUTE: timedelta(days=1), Bucket.HOUR: timedelta(days=31), Bucket.DAY: timedelta(days=366)}


@dataclass(frozen=True, slots=True)
class Question:
    """A range of time, cut into buckets of a zone, told apart by some groupings."""

    counted: Counted
    start: datetime
    end: datetime
    bucket: Bucket
    time_zone: str
    groupings: tuple[Grouping, ...]

    def check(self) -> None:
        """Refuse a range that is empty or too long, and a grouping that what is counted does not have."""
        if self.end <= self.start:
            raise Invalid("`to` must be later than `from`.", code="invalid_range")
        if self.end - self.start > LONGEST[self.bucket]:
            detail = f"By {self.bucket}, at most {LONGEST[self.bucket].days} days at once."
            raise Invalid(detail, code="range_too_long")
        if len(set(self.groupings)) != len(self.groupings):
            raise Invalid("A grouping is named twice.", code="duplicate_grouping")
        if Grouping.PROVIDER in self.groupings and self.counted is Counted.NOTIFICATIONS:
            detail = "A notification may have had several providers; count=deliveries tells them apart."
            raise Invalid(detail, code="grouping_needs_deliveries")
