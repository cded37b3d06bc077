"""What a caller writes about sequences and the people who go through them."""

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

from api.v1.body import Body
from api.v1.fields import Instant, UserId, Variables, Word, read_duration
from api.v1.notifications.wording import Wording
from api.v1.schedules.notices import Delivering, worded
from postroom.errors import FieldError, Invalid
from postroom.sequences.course import FARTHEST, Course, Step
from postroom.sequences.enrolling import Newcomer
from postroom.sequences.service import Plan

STEPS = 50
EVENTS = 20
PEOPLE = 1_000
EVENT_EXAMPLE = "subscribed"

_TIME_OF_DAY = "^(?:[01][0-9]|2[0-3]):[0-5][0-9]$"


def _signed(value: object) -> timedelta:
    """Read a duration that may lead backwards: `-P1D`, or seconds below zero."""
    if isinstance(value, str) and value.startswith("-"):
        return -read_duration(value[1:])
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return -read_duration(-value)
    return read_duration(value)


Delay = Annotated[
    timedelta,
    BeforeValidator(_signed, json_schema_input_type=float | str),
    Field(examples=["P3D"], ge=-FARTHEST, le=FARTHEST),
]
TimeOfDay = Annotated[str, StringConstraints(pattern=_TIME_OF_DAY), Field(examples=["09:00"])]


class StepBody(Wording):
    """One message, and when it is due."""

    delay: Delay = Field(
        default=0,
        validate_default=True,
        description="Seconds, or an ISO 8601 duration; before the anchor with a minus sign, as in -P1D.",
    )
    after_previous: bool = Field(
        default=False, description="Count the delay from the step before, not from the anchor.", strict=True
    )
    at: TimeOfDay | None = Field(
        default=None,
        description="A time of day in the person's zone: the first one after the delay, or the last one before it "
        "when the delay leads backwards.",
    )

    def step(self, place: str) -> Step:
        """Put it together; `place` is where it stands in the body.

        Raises:
            Invalid: it says nothing, or in two ways, or counts backwards from the step before.
        """
        words = worded(self, place)
        if words.pop("is_set", False):
            detail = "A step has one template; a whole set stands in the place of all steps."
            raise Invalid.at(f"{place}/template_set", "template_or_content", detail)
        if self.after_previous and self.delay < timedelta():
            raise Invalid.at(f"{place}/delay", "out_of_range", "A step comes after the one before it.")
        return Step(self.delay.total_seconds(), after_previous=self.after_previous, at=self.at, **words)


class SequenceBody(Delivering):
    """A sequence as a whole."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "trial",
                    "channels": ["email", "in_app"],
                    "steps": [
                        {"title": "Welcome, {{ name }}", "content": "Good to have you here."},
                        {"title": "Three tips", "content": "Did you know?", "delay": "P3D", "at": "09:00"},
                        {"title": "Your trial ends", "content": "Tomorrow.", "delay": "P13D", "at": "09:00"},
                    ],
                    "stop_on": [EVENT_EXAMPLE],
                },
                {"name": "onboarding", "channel": "email", "template_set": "onboarding"},
            ]
        },
    )

    name: Word
    steps: list[StepBody] | None = Field(default=None, min_length=1, max_length=STEPS)
    template_set: Word | None = Field(
        default=None,
        description="Instead of steps: a template set, whose entries follow one another with their delays.",
        examples=["onboarding"],
    )
    stop_on: list[Word] = Field(
        default_factory=list,
        max_length=EVENTS,
        description="Events that end it for the person they happen to.",
        examples=[[EVENT_EXAMPLE]],
    )

    def plan(self) -> Plan:
        """Put it together.

        Raises:
            Invalid: its fields contradict each other.
        """
        if (self.steps is None) == (self.template_set is None):
            raise Invalid.at("/steps", "steps_required", "Give either steps or a template set.")
        steps = [one.step(f"/steps/{place}") for place, one in enumerate(self.steps or ())]
        return Plan(self.name, Course(self.travelling(""), steps), self.stop_on, self.template_set)


class EnrolmentBody(Body):
    """One person, and where their time is counted from."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"user_id": "user_123", "anchor_at": "2026-12-01T00:00:00Z", "variables": {"name": "Ada"}},
            ]
        },
    )

    user_id: UserId
    anchor_at: Instant | None = Field(default=None, description="What the delays count from; without it, now.")
    variables: Variables = Field(default_factory=dict, description="What stands for the placeholders of all steps.")

    def newcomer(self) -> Newcomer:
        """Put it together."""
        return Newcomer(self.user_id, self.anchor_at, self.variables)


class EnrolmentsBody(Body):
    """Up to 1,000 people."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"enrolments": [{"user_id": "user_123"}, {"user_id": "user_124"}]}]},
    )

    enrolments: list[EnrolmentBody] = Field(min_length=1, max_length=PEOPLE)

    def newcomers(self) -> list[Newcomer]:
        """Put them together.

        Raises:
            Invalid: somebody is named twice.
        """
        seen: dict[str, int] = {}
        errors = []
        for place, one in enumerate(self.enrolments):
            if (first := seen.setdefault(one.user_id, place)) != place:
                detail = f"The same user_id stands at {first}."
                errors.append(FieldError(f"/enrolments/{place}", "duplicate_recipient", detail))
        if errors:
            raise Invalid(f"{len(errors)} people stand twice.", code="duplicate_recipient", errors=errors[:100])
        return [one.newcomer() for one in self.enrolments]


class EventBody(Body):
    """Something that happened to a person."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"user_id": "user_123", "event": EVENT_EXAMPLE}]}
    )

    user_id: UserId
    event: Word
