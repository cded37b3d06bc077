"""How a job stands: its counts, which always sum to its total, and the word that follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from postroom.contact_files.models import ContactFile, FileState
from postroom.contracts.vocabulary import NotificationState
from postroom.jobs.models import Job
from postroom.privacy.models import PersonJob


class JobStatus(StrEnum):
    """The word for all of it."""

    PROCESSING = "processing"  # some are not accounted for yet
    COMPLETED = "completed"
    CANCELLED = "cancelled"  # on request, and something was left to cancel


# What is exported of a person who is erased meanwhile is nobody's any more.
PERSON_STATUS = {"open": JobStatus.PROCESSING, "done": JobStatus.COMPLETED, "overtaken": JobStatus.CANCELLED}
FILE_STATUS = {
    FileState.OPEN: JobStatus.PROCESSING,
    FileState.DONE: JobStatus.COMPLETED,
    FileState.CANCELLED: JobStatus.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class JobStanding:
    """A job and the states of its notifications at one moment.

    One about a person has work instead of notifications, and one about a file of contacts its lines.
    """

    job: Job
    counts: Mapping[NotificationState, int]
    person: PersonJob | None = None
    file: ContactFile | None = None

    @property
    def done(self) -> int:
        """How much of the work about a person is done: all of it at its end, whatever came or went meanwhile."""
        if self.person is None:
            return 0
        return self.job.total if self.person.state == "done" else min(self.person.done, self.job.total)

    @property
    def status(self) -> JobStatus:
        """Derived, never stored: a retry or late evidence cannot contradict it."""
        if self.person is not None:
            return PERSON_STATUS[self.person.state]
        if self.file is not None:
            return FILE_STATUS[FileState(self.file.state)]
        if self.counts[NotificationState.OPEN]:
            return JobStatus.PROCESSING
        if self.job.cancel_requested_at is not None and self.counts[NotificationState.CANCELLED]:
            return JobStatus.CANCELLED
        return JobStatus.COMPLETED
