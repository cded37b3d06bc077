"""What a caller writes about a task: its terms, and what to do with it."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StringConstraints

from api.v1.body import Body
from api.v1.campaigns.bodies import CampaignName
from api.v1.examples import CAMPAIGN_EXAMPLE
from api.v1.fields import ChannelShare, Moment, NearInstant, UserId, Variables, Word, plain
from postroom.campaigns.planning.plan import Pace, Plan
from postroom.campaigns.planning.terms import Terms
from postroom.campaigns.steering.correcting import Failures
from postroom.contracts.vocabulary import ChannelKind, DeliveryState, MessageClass
from postroom.errors import Invalid
from postroom.notifications.schedule import LONGEST_LIFE

FASTEST = 1_000_000  # messages per minute
MOST_VARIANTS = 20
MOST_WEIGHT = 10_000
MOST_SERVICES = 50
MOST_PEOPLE = 1_000
SENDER_LENGTH = 400

RULE_EXAMPLE: dict[str, Any] = {"all": [{"tags": {"any": ["customers"]}}, {"language": ["en"]}]}
TERMS_EXAMPLE: dict[str, Any] = {
    "name": "Spring sale, first mail",
    "rule": RULE_EXAMPLE,
    "content": {"template": "spring-sale", "variables": {"percent": 20}},
    "sender": {"from": "The Shop <news@shop.example>"},
    "plan": {"local_time": "2026-12-01T09:00:00"},
    "pace": {"per_minute": 20000},
}

SenderText = Annotated[str, StringConstraints(min_length=1, max_length=SENDER_LENGTH), AfterValidator(plain)]
VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True, examples=[3])]


class TaskVariantBody(Body):
    """One of several contents, and how many get it, weighed against the others."""

    label: Word = Field(description="What reports call it.", examples=["A"])
    template: Word = Field(description="By id or name.", examples=["spring-sale"])
    version: VersionNumber | None = None
    weight: int = Field(default=1, ge=1, le=MOST_WEIGHT, strict=True)


class ContentBody(Body):
    """What is said: a template, the templates of a set in turn, or variants by weight."""

    template: Word | None = Field(default=None, description="By id or name.", examples=["spring-sale"])
    version: VersionNumber | None = Field(default=None, description="By default the newest approved one.")
    template_set: Word | None = Field(default=None, description="By id or name; its templates take turns.")
    variants: list[TaskVariantBody] | None = Field(default=None, min_length=2, max_length=MOST_VARIANTS)
    variables: Variables = Field(default_factory=dict, description="The same for everybody.")

    def stored(self) -> dict[str, Any]:
        """Return what is kept of it.

        Raises:
            Invalid: it names several contents, or none.
        """
        given = (self.template, self.template_set, self.variants)
        if sum(one is not None for one in given) != 1:
            detail = "Give a template, a template_set or variants: one of them."
            raise Invalid.at("/content", "content_required", detail)
        if self.version is not None and self.template is None:
            raise Invalid.at("/content/version", "content_conflict", "A version goes with a template.")
        labels = [one.label for one in self.variants or ()]
        for position, label in enumerate(labels):
            if label in labels[:position]:
                raise Invalid.at(f"/content/variants/{position}/label", "label_taken", "Another variant is called so.")
        return self.model_dump(exclude_none=True)


class SenderBody(Body):
    """Who it is from, and which of the sender services may carry it; without them, any that the key may use."""

    from_: SenderText | None = Field(default=None, alias="from", examples=["The Shop <news@shop.example>"])
    reply_to: SenderText | None = Field(default=None, examples=["service@shop.example"])
    services: list[Word] | None = Field(default=None, min_length=1, max_length=MOST_SERVICES)


class PlanBody(Body):
    """When: at once, at an instant, or at a wall-clock time in each one's zone."""

    at: NearInstant | None = Field(default=None, examples=["2026-12-01T09:00:00Z"])
    local_time: Moment | None = Field(
        default=None, description="Without an offset; each one's own clock is meant.", examples=["2026-12-01T09:00:00"]
    )
    fallback_zone: Word | None = Field(
        default=None, description="For whoever has none; by default UTC.", examples=["Europe/Paris"]
    )

    def plan(self) -> Plan:
        """Put it together; raises Invalid for a local time that has an offset."""
        if self.local_time is not None and self.local_time.tzinfo is not None:
            raise Invalid.at("/plan/local_time", "offset_not_allowed", "A local time has no offset.")
        if self.local_time is not None:
            _check_year(self.local_time)
        return Plan(self.at, self.local_time, self.fallback_zone)


class PaceBody(Body):
    """How fast: so many a minute, evenly until an instant, or as fast as is allowed."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"per_minute": 20000}, {"finish_by": "2026-12-01T18:00:00Z"}]}
    )

    per_minute: int | None = Field(default=None, ge=1, le=FASTEST, strict=True)
    finish_by: NearInstant | None = None

    def pace(self) -> Pace:
        """Put it together."""
        return Pace(self.per_minute, self.finish_by)


class TrackingBody(Body):
    """What is tracked; by default everything in marketing, and nothing else."""

    opens: StrictBool | None = None
    clicks: StrictBool | None = None


class TermsBody(Body):
    """Whom, what, from whom, when and how fast."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [TERMS_EXAMPLE]})

    name: CampaignName
    rule: dict[str, Any] = Field(description="Who gets it: a recipient rule.", examples=[RULE_EXAMPLE])
    content: ContentBody
    channel: ChannelKind = ChannelKind.EMAIL
    message_class: MessageClass | None = Field(
        default=None, alias="class", description="By default that of the type, or marketing."
    )
    notification_type: Word | None = Field(default=None, description="A declared one.")
    sender: SenderBody = Field(default_factory=SenderBody)
    plan: PlanBody = Field(default_factory=PlanBody)
    pace: PaceBody = Field(default_factory=PaceBody)
    tracking: TrackingBody = Field(default_factory=TrackingBody)
    time_to_live: ChannelShare | None = Field(
        default=None, description="How long a message is worth sending, from the time it is due."
    )

    def terms(self) -> Terms:
        """Put them together; raises Invalid for parts that contradict themselves."""
        return Terms(
            name=self.name,
            channel=self.channel,
            rule=self.rule,
            content=self.content.stored(),
            sender=self.sender.model_dump(by_alias=True, exclude_none=True),
            plan=self.plan.plan(),
            pace=self.pace.pace(),
            tracking=self.tracking.model_dump(exclude_none=True),
            message_class=self.message_class,
            notification_type=self.notification_type,
            time_to_live=self.time_to_live,
        )


class TaskBody(TermsBody):
    """A new task."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"campaign_id": CAMPAIGN_EXAMPLE, **TERMS_EXAMPLE}]}
    )

    campaign_id: Word


class TaskChange(TermsBody):
    """A draft written anew."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 1, **TERMS_EXAMPLE}]})

    version: int = Field(ge=1, le=2**31 - 1, strict=True, description="`version` of the task, as it was read.")


class RetryBody(Body):
    """Which failures are taken up again; by default all but those of which nobody knows whether they arrived."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"classes": ["rejected"], "reasons": ["mailbox_full"]}]}
    )

    classes: list[DeliveryState] | None = Field(
        default=None, min_length=1, max_length=3, description="Of rejected, failed and expired."
    )
    reasons: list[Word] | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="Reasons, or how they begin. `outcome_unknown` must be named in full to be meant.",
    )

    def failures(self) -> Failures:
        """Put them together; raises Invalid for a state that is no failure."""
        wanted = Failures()
        for position, state in enumerate(self.classes or ()):
            if state not in wanted.classes:
                raise Invalid.at(f"/classes/{position}", "not_a_failure", "One of rejected, failed and expired.")
        return Failures(frozenset(self.classes or wanted.classes), self.reasons or ())


class SkipBody(Body):
    """Who is left out: one person, or several."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"user_id": "user_123"}]})

    user_id: UserId | None = None
    user_ids: list[UserId] | None = Field(default=None, min_length=1, max_length=MOST_PEOPLE)

    def users(self) -> list[str]:
        """Return who is meant; raises Invalid when nobody is, or in two ways."""
        if (self.user_id is None) == (self.user_ids is None):
            raise Invalid.at("", "people_required", "Give user_id or user_ids, one of the two.")
        return [self.user_id] if self.user_id is not None else self.user_ids or []


def _check_year(local: datetime) -> None:
    """Refuse what no clock of a zone could be asked about."""
    if abs(local.replace(tzinfo=UTC) - datetime.now(UTC)) > 10 * LONGEST_LIFE:
        raise Invalid.at("/plan/local_time", "out_of_range", "That is too far away.")
