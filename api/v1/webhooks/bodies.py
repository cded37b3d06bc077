"""What a caller writes and reads about webhook endpoints."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from api.v1.body import Body
from api.v1.examples import TIME_EXAMPLE
from api.v1.fields import Instant, Word, as_field
from postroom.egress.targets import URL_LENGTH
from postroom.errors import Invalid
from postroom.identity import DELIVERY, ENDPOINT, REPLAY, parse_id, public_id
from postroom.webhooks.models import EndpointState, EventType, WebhookEndpoint
from postroom.webhooks.replaying import Replayed, Selection
from postroom.webhooks.service import Change, NewEndpoint, Revealed

ENDPOINT_EXAMPLE = "whep_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"
URL_EXAMPLE = "https://shop.example.com/hooks/postroom"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise Invalid("Control characters are not allowed here.", code="invalid_characters")
    return text


def _once(events: list[EventType]) -> list[EventType]:
    return list(dict.fromkeys(events))


Url = Annotated[str, StringConstraints(min_length=1, max_length=URL_LENGTH), Field(examples=[URL_EXAMPLE])]
Description = Annotated[str, StringConstraints(max_length=200), AfterValidator(as_field(_printable))]
Events = Annotated[list[EventType], Field(max_length=2 * len(EventType)), AfterValidator(_once)]
PerMinute = Annotated[int, Field(ge=1, le=60_000, strict=True)]


class EndpointBody(Body):
    """A place that wants to be called."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "url": URL_EXAMPLE,
                    "events": ["notification.sent", "notification.failed"],
                    "description": "order service",
                }
            ]
        },
    )

    url: Url
    events: Events = Field(default_factory=list, description="What it is told besides messages sent to its URL.")
    description: Description | None = None
    rate_per_minute: PerMinute = 100

    def asked(self) -> NewEndpoint:
        """Put an endpoint together."""
        return NewEndpoint(self.url, tuple(map(str, self.events)), self.description, self.rate_per_minute)


class EndpointChange(Body):
    """What shall be different; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"state": "disabled"}]})

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    rate_per_minute: PerMinute | None = None
    state: EndpointState | None = None

    @model_validator(mode="after")
    def _nothing_else_is_null(self) -> "EndpointChange":
        if any(getattr(self, name) is None for name in self.model_fields_set - {"description"}):
            raise Invalid("Only the description can be null.", code="field_required")
        return self

    def asked(self) -> Change:
        """Name what was named."""
        return Change(self.model_dump(mode="json", include=self.model_fields_set))


class ReplayBody(Body):
    """One delivery, or a span of time: whatever was accepted in it and did not get through, or all of it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"since": "2026-11-20T10:00:00Z", "everything": False}]}
    )

    delivery_id: Word | None = None
    since: Instant | None = None
    until: Instant | None = Field(default=None, description="By default now.")
    everything: bool = Field(default=False, description="Also what the receiver has accepted.")

    def selection(self, now: datetime) -> Selection:
        """Say what was selected.

        Raises:
            Invalid: neither a delivery nor a span was, or both.
        """
        if (self.delivery_id is None) == (self.since is None):
            raise Invalid.at("/since", "selection_required", "Give either a delivery_id or a since.")
        if self.delivery_id is not None:
            return Selection(delivery_id=parse_id(DELIVERY, self.delivery_id))
        return Selection(since=self.since, until=self.until or now, everything=self.everything)


class EndpointView(BaseModel):
    """An endpoint; its secret is not shown again."""

    id: str = Field(examples=[ENDPOINT_EXAMPLE])
    url: str = Field(examples=[URL_EXAMPLE])
    events: list[str] = Field(examples=[["notification.failed"]])
    description: str | None = Field(examples=["order service"])
    rate_per_minute: int = Field(examples=[100])
    state: EndpointState = Field(examples=["enabled"])
    reason: str | None = Field(examples=[None], description="Why it is disabled: `operator`, `gone` or `failing`.")
    failing_since: datetime | None = Field(examples=[None])
    old_secret_until: datetime | None = Field(examples=[None], description="Until then both secrets sign.")
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    updated_at: datetime = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, endpoint: WebhookEndpoint) -> "EndpointView":
        """Describe an endpoint."""
        return cls(**endpoint_fields(endpoint))


class RevealedView(EndpointView):
    """An endpoint and its secret, shown this once."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])

    @classmethod
    def revealed(cls, revealed: Revealed) -> "RevealedView":
        """Describe an endpoint with its secret."""
        return cls(**endpoint_fields(revealed.endpoint), secret=revealed.secret)


class EndpointsView(BaseModel):
    """Some endpoints, newest first, and the cursor for the next ones."""

    items: list[EndpointView]
    next_cursor: str | None = Field(examples=[None])


class ReplayView(BaseModel):
    """How many messages are on their way again; when `until` is given there may be more, with it as `since`."""

    id: str
    count: int = Field(examples=[12])
    until: datetime | None = Field(examples=[None])

    @classmethod
    def of(cls, replayed: Replayed) -> "ReplayView":
        """Describe a replay."""
        return cls(id=public_id(REPLAY, replayed.id), count=replayed.count, until=replayed.until)


def endpoint_fields(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Return what is shown of an endpoint."""
    return {
        "id": public_id(ENDPOINT, endpoint.id),
        "url": endpoint.url,
        "events": endpoint.events,
        "description": endpoint.description,
        "rate_per_minute": endpoint.rate_per_minute,
        "state": endpoint.state,
        "reason": endpoint.reason,
        "failing_since": endpoint.failing_since,
        "old_secret_until": endpoint.old_secret_until,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }
