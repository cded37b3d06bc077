"""What a caller reads about sequences and the people who go through them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from api.v1.examples import NOTIFICATION_EXAMPLE, TIME_EXAMPLE
from api.v1.schedules.views import NoticeView
from postroom.contracts.vocabulary import NotificationState
from postroom.identity import ENROLMENT, NOTIFICATION, SEQUENCE, public_id
from postroom.sequences.enrolling import Progress
from postroom.sequences.models import Enrolled, EnrolmentState, EnrolmentStep, StepState
from postroom.sequences.models import Sequence as SequenceRow
from postroom.sequences.service import Written

SEQUENCE_EXAMPLE = "seq_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"
ENROLMENT_EXAMPLE = "enr_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0c"


class SequenceView(BaseModel):
    """A sequence by its name."""

    id: str = Field(examples=[SEQUENCE_EXAMPLE])
    name: str = Field(examples=["trial"])
    version: int = Field(description="Rises by one whenever it is written anew.", examples=[1])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    updated_at: datetime = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, sequence: SequenceRow) -> "SequenceView":
        """Describe a sequence."""
        return cls(**named(sequence))


class PlannedView(BaseModel):
    """One step of a sequence."""

    position: int = Field(examples=[1])
    message: NoticeView
    delay: float = Field(description="In seconds, from the anchor or the step before.", examples=[259200])
    after_previous: bool
    at: str | None = Field(examples=["09:00"])


class WholeSequenceView(SequenceView):
    """A sequence with its steps."""

    steps: list[PlannedView]
    stop_on: list[str] = Field(examples=[["subscribed"]])

    @classmethod
    def whole(cls, written: Written) -> "WholeSequenceView":
        """Describe all of it."""
        course = written.course
        steps = [
            PlannedView(
                position=position,
                message=NoticeView.of(course.notice(position)),
                delay=step.delay,
                after_previous=step.after_previous,
                at=step.at,
            )
            for position, step in enumerate(course.steps, 1)
        ]
        return cls(**named(written.sequence), steps=steps, stop_on=list(written.stop_on))


class SequencesView(BaseModel):
    """A page of sequences, newest first."""

    items: list[SequenceView]
    next_cursor: str | None


class EnrolmentView(BaseModel):
    """One person on the way through a sequence."""

    id: str = Field(examples=[ENROLMENT_EXAMPLE])
    sequence_id: str = Field(examples=[SEQUENCE_EXAMPLE])
    version: int = Field(description="The version of the sequence that this person goes through.", examples=[1])
    user_id: str = Field(examples=["user_123"])
    anchor_at: datetime = Field(examples=[TIME_EXAMPLE])
    time_zone: str = Field(examples=["Europe/Paris"])
    state: EnrolmentState = Field(examples=["active"])
    reason: str | None = Field(examples=[None])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    ended_at: datetime | None = Field(examples=[None])

    @classmethod
    def of(cls, enrolment: Enrolled) -> "EnrolmentView":
        """Describe an enrolment."""
        return cls(**enrolled(enrolment))


class StepView(BaseModel):
    """What became of one step for one person."""

    position: int = Field(examples=[1])
    due_at: datetime = Field(examples=[TIME_EXAMPLE])
    state: StepState = Field(examples=["sent"])
    reason: str | None = Field(examples=[None])
    notification_id: str | None = Field(examples=[NOTIFICATION_EXAMPLE])
    notification_state: NotificationState | None = Field(examples=["sent"])

    @classmethod
    def of(cls, step: EnrolmentStep, state: str | None) -> "StepView":
        """Describe a step."""
        return cls(
            position=step.position,
            due_at=step.due_at,
            state=StepState(step.state),
            reason=step.reason,
            notification_id=step.notification_id and public_id(NOTIFICATION, step.notification_id),
            notification_state=state and NotificationState(state),
        )


class WholeEnrolmentView(EnrolmentView):
    """An enrolment with its steps."""

    steps: list[StepView]

    @classmethod
    def whole(cls, progress: Progress) -> "WholeEnrolmentView":
        """Describe all of it."""
        steps = [StepView.of(step, state) for step, state in progress.steps]
        return cls(**enrolled(progress.enrolment), steps=steps)


class EnrolmentsView(BaseModel):
    """A page of enrolments, newest first."""

    items: list[EnrolmentView]
    next_cursor: str | None


class EnrolledView(BaseModel):
    """What became of one person of many: the id of their enrolment, or null when they were on the way already."""

    user_id: str = Field(examples=["user_123"])
    enrolment_id: str | None = Field(examples=[ENROLMENT_EXAMPLE])


class ManyEnrolledView(BaseModel):
    """What became of everybody who was named."""

    enrolled: int = Field(examples=[999])
    already_enrolled: int = Field(examples=[1])
    items: list[EnrolledView]


class HappenedView(BaseModel):
    """What an event ended."""

    stopped: int = Field(description="Enrolments that ended for it.", examples=[1])


def named(sequence: SequenceRow) -> dict[str, Any]:
    """Return what every view of a sequence shows."""
    plain = ("name", "version", "created_at", "updated_at")
    return {"id": public_id(SEQUENCE, sequence.id)} | {name: getattr(sequence, name) for name in plain}


def enrolled(enrolment: Enrolled) -> dict[str, Any]:
    """Return what every view of an enrolment shows."""
    plain = ("version", "user_id", "anchor_at", "time_zone", "state", "reason", "created_at", "ended_at")
    ids = {"id": public_id(ENROLMENT, enrolment.id), "sequence_id": public_id(SEQUENCE, enrolment.sequence_id)}
    return ids | {name: getattr(enrolment, name) for name in plain}
