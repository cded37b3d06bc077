"""How a job stands: its counts, which always sum to its total, and the word that follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from postroom.contracts.vocabulary import NotificationState
from postroom.jobs.models import Job


class JobStatus(StrEnum):
    """The word for all of it."""

    PROCESSING = "processing"  # some are not accounted for yet
    COMPLETED = "completed"
    CANCELLED = "cancelled"  # on request, and something was left to cancel


@dataclass(frozen=True, slots=True)
class JobStanding:
    """A job and the states of its notifications at one moment."""

    job: Job
    counts: Mapping[NotificationState, int]

    @property
    def status(self) -> JobStatus:
        """Derived, never stored: a retry or late evidence cannot contradict it."""
        if self.counts[NotificationState.OPEN]:
            return JobStatus.PROCESSING
        if self.job.cancel_requested_at is not None and self.counts[NotificationState.CANCELLED]:
            return JobStatus.CANCELLED
        return JobStatus.COMPLETED
