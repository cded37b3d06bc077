"""What a caller reads about the story of a notification."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field

from api.v1.examples import NOTIFICATION_EXAMPLE, TIME_EXAMPLE
from postroom.identity import CARRIER, NOTIFICATION, public_id
from postroom.notifications.models import Carrier
from postroom.notifications.reading import Timeline
from postroom.notifications.status import Status
from postroom.settings import Settings


class TimelineEntryView(BaseModel):
    """One decision, attempt or answer."""

    at: datetime = Field(examples=[TIME_EXAMPLE])
    kind: str = Field(examples=["attempt_deferred"])
    reason: str | None = Field(examples=["temporary_refusal"])
    summary: str = Field(examples=["smtp.example.net:587 refused attempt 1 for now (reply 451 4.7.1)."])
    detail: Mapping[str, Any] = Field(examples=[{"attempt": 1, "code": 451, "enhanced": "4.7.1"}])


class CarrierView(BaseModel):
    """The workflow that carries a notification, and where to look at it."""

    id: str
    kind: str = Field(examples=["alone"])
    state: str = Field(examples=["open"])
    workflow_id: str = Field(examples=[f"notification/demo/{NOTIFICATION_EXAMPLE}"])
    url: str | None = Field(examples=["http://127.0.0.1:8233/namespaces/default/workflows/notification%2Fdemo%2F..."])

    @classmethod
    def of(cls, carrier: Carrier, settings: Settings) -> "CarrierView":
        """Describe a carrier."""
        place = f"/namespaces/{quote(settings.temporal_namespace)}/workflows/{quote(carrier.workflow_id, safe='')}"
        return cls(
            id=public_id(CARRIER, carrier.id),
            kind=carrier.kind,
            state=carrier.state,
            workflow_id=carrier.workflow_id,
            url=settings.temporal_ui_url.rstrip("/") + place if settings.temporal_ui_url else None,
        )


class TimelineView(BaseModel):
    """Everything that happened, in order."""

    id: str = Field(examples=[NOTIFICATION_EXAMPLE])
    status: Status = Field(examples=["retrying"])
    carrier: CarrierView | None
    entries: list[TimelineEntryView]

    @classmethod
    def of(cls, timeline: Timeline, settings: Settings) -> "TimelineView":
        """Describe a story."""
        return cls(
            id=public_id(NOTIFICATION, timeline.summary.notification.id),
            status=timeline.summary.status,
            carrier=CarrierView.of(timeline.carrier, settings) if timeline.carrier else None,
            entries=[
                TimelineEntryView(at=one.at, kind=one.kind, reason=one.reason, summary=one.summary, detail=one.detail)
                for one in timeline.entries
            ],
        )
