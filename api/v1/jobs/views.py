"""What a caller reads about jobs."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

from api.v1.contacts.file_views import ExportCountsView, ImportCountsView
from api.v1.examples import JOB_EXAMPLE, TIME_EXAMPLE
from postroom.contracts.vocabulary import NotificationState
from postroom.identity import API_KEY, JOB, NOTIFICATION, public_id
from postroom.jobs.control import Cancelling, Retrying
from postroom.jobs.standing import JobStanding, JobStatus
from postroom.notifications.models import Notification
from postroom.privacy.service import Step


class JobKind(StrEnum):
    """What a job does."""

    BATCH = "batch"
    EXPORT = "export"
    ERASURE = "erasure"
    IMPORT = "import"
    CONTACTS_EXPORT = "contacts_export"


class CountsView(BaseModel):
    """The notifications of a job by state; they sum to its total in every answer."""

    open: int = Field(description="Not accounted for yet.", examples=[120])
    sent: int = Field(examples=[870])
    skipped: int = Field(examples=[6])
    failed: int = Field(examples=[4])
    expired: int = Field(examples=[0])
    cancelled: int = Field(examples=[0])


class WorkView(BaseModel):
    """What a job about a person has to go through: the person, and every notification of theirs; it sums likewise."""

    open: int = Field(examples=[0])
    done: int = Field(examples=[43])


class JobLinks(BaseModel):
    """Where to look next, as paths of this API; null where a job of this kind has nothing."""

    self: str = Field(examples=[f"/api/v1/jobs/{JOB_EXAMPLE}"])
    failures: str | None = Field(description="Of a batch: whom it did not reach.")
    notifications: str | None = Field(description="Of a batch: what came of it.")
    errors: str | None = Field(description="Of an import: the lines it did not take.")
    file: str | None = Field(description="Of an export of contacts: what it wrote.")

    @classmethod
    def to(cls, job: str, kind: JobKind) -> "JobLinks":
        """Name the places of one job."""
        path = f"/api/v1/jobs/{job}"
        batch = kind is JobKind.BATCH
        return cls(
            self=path,
            failures=f"{path}/failures" if batch else None,
            notifications=f"/api/v1/notifications?job_id={job}" if batch else None,
            errors=f"{path}/errors" if kind is JobKind.IMPORT else None,
            file=f"{path}/file" if kind is JobKind.CONTACTS_EXPORT else None,
        )


class ResultLinkView(BaseModel):
    """Where what was exported can be fetched without a key, and until when."""

    url: str = Field(examples=["https://notify.example.com/api/v1/exports/AZ...Q"])
    expires_at: datetime = Field(examples=[TIME_EXAMPLE])


class JobView(BaseModel):
    """Many notifications that were asked for at once, or what is done for one person, and how far it is."""

    job_id: str = Field(examples=[JOB_EXAMPLE])
    kind: JobKind = Field(examples=["batch"])
    status: JobStatus = Field(examples=["processing"])
    total: int = Field(examples=[1000])
    counts: CountsView | WorkView | ImportCountsView | ExportCountsView
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    links: JobLinks

    @classmethod
    def of(cls, standing: JobStanding) -> "JobView":
        """Describe a job."""
        job = standing.job
        public = public_id(JOB, job.id)
        return cls(
            job_id=public,
            kind=JobKind(job.kind),
            status=standing.status,
            total=job.total,
            counts=_counts(standing),
            created_at=job.created_at,
            links=JobLinks.to(public, JobKind(job.kind)),
        )


def _counts(standing: JobStanding) -> CountsView | WorkView | ImportCountsView | ExportCountsView:
    if standing.file is not None:
        view = ImportCountsView if standing.job.kind == JobKind.IMPORT else ExportCountsView
        return view.of(standing.file.counts, standing.job.total, ended=standing.status is not JobStatus.PROCESSING)
    if standing.person is not None:
        return WorkView(open=standing.job.total - standing.done, done=standing.done)
    return CountsView(**{str(state): count for state, count in standing.counts.items()})


class JobResultView(JobView):
    """A job as it stands by itself; with what it exported, for a key that may read that."""

    result: ResultLinkView | None = Field(default=None, examples=[None])
    reason: str | None = Field(default=None, description="Why a file was not finished.", examples=[None])


class PersonEventView(BaseModel):
    """Something that happened to what is known of a person; without a key it was the house, or a signed link."""

    at: datetime = Field(examples=[TIME_EXAMPLE])
    kind: str = Field(examples=["export_fetched"])
    api_key_id: str | None = Field(examples=["key_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"])

    @classmethod
    def of(cls, step: Step) -> "PersonEventView":
        """Describe it."""
        key_id = public_id(API_KEY, step.api_key_id) if step.api_key_id else None
        return cls(at=step.at, kind=step.kind, api_key_id=key_id)


class PersonEventsView(BaseModel):
    """All of it, in order."""

    items: list[PersonEventView]


class JobsView(BaseModel):
    """Some jobs, newest first, and the cursor for the next ones."""

    items: list[JobView]
    next_cursor: str | None = Field(examples=[None])


class FailureView(BaseModel):
    """Somebody whom a job did not reach, and why."""

    user_id: str | None = Field(examples=["user_123"])
    notification_id: str = Field(examples=["notif_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"])
    state: NotificationState = Field(examples=["failed"])
    reason: str | None = Field(examples=["mailbox_unknown"])
    ended_at: datetime | None = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, row: Notification) -> "FailureView":
        """Describe one of them."""
        return cls(
            user_id=row.user_id,
            notification_id=public_id(NOTIFICATION, row.id),
            state=NotificationState(row.state),
            reason=row.reason,
            ended_at=row.ended_at,
        )


class FailuresView(BaseModel):
    """Some failures in the order of the request, and the cursor for the next ones."""

    items: list[FailureView]
    next_cursor: str | None = Field(examples=[None])


class CancellingView(BaseModel):
    """What was open, by what the cancellation came to."""

    cancelled: int = Field(description="Nothing was being handed off; nothing will be.", examples=[700])
    cancelling: int = Field(description="An open hand-off decides.", examples=[3])
    too_late: int = Field(description="A provider had it already.", examples=[1])


class RetryingView(BaseModel):
    """What had failed, by what the retry came to."""

    retried: int = Field(examples=[4])
    already_sent: int = Field(description="A provider had accepted it after all.", examples=[0])
    rate_limited: int = Field(description="Addressed too often still; nothing changed.", examples=[0])
    no_words: int = Field(description="A variable was missing or did not fit: nothing to send.", examples=[0])


class CancelledJobView(JobView):
    """What a cancellation came to, and how the job stands after it."""

    outcome: CancellingView

    @classmethod
    def after(cls, done: Cancelling, standing: JobStanding) -> "CancelledJobView":
        """Describe both."""
        outcome = CancellingView(cancelled=done.cancelled, cancelling=done.cancelling, too_late=done.too_late)
        return cls(**JobView.of(standing).model_dump(), outcome=outcome)


class RetriedJobView(JobView):
    """What a retry came to, and how the job stands after it."""

    outcome: RetryingView

    @classmethod
    def after(cls, done: Retrying, standing: JobStanding) -> "RetriedJobView":
        """Describe both."""
        outcome = RetryingView(
            retried=done.retried,
            already_sent=done.already_sent,
            rate_limited=done.rate_limited,
            no_words=done.no_words,
        )
        return cls(**JobView.of(standing).model_dump(), outcome=outcome)
