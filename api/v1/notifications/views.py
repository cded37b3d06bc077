"""What a caller reads about notifications."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.v1.examples import NOTIFICATION_EXAMPLE, TIME_EXAMPLE
from api.v1.notifications.bodies import PriorityWord
from postroom.contracts.vocabulary import ChannelKind, DeliveryState, MessageClass, Priority, Strategy
from postroom.identity import DELIVERY, JOB, NOTIFICATION, TEMPLATE, public_id
from postroom.notifications.accepting import Accepted
from postroom.notifications.models import Delivery, NotificationContent
from postroom.notifications.reading import Whole
from postroom.notifications.record import Summary
from postroom.notifications.status import Status


class Links(BaseModel):
    """Where to look next, as paths of this API."""

    self: str = Field(examples=[f"/api/v1/notifications/{NOTIFICATION_EXAMPLE}"])
    status: str
    timeline: str

    @classmethod
    def to(cls, notification: str) -> "Links":
        """Name the places of one notification."""
        path = f"/api/v1/notifications/{notification}"
        return cls(self=path, status=f"{path}/status", timeline=f"{path}/timeline")


class AcceptedView(BaseModel):
    """A notification is in the record; from here on it ends in exactly one named state."""

    id: str = Field(examples=[NOTIFICATION_EXAMPLE])
    status: Status = Field(examples=["pending"])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    due_at: datetime = Field(examples=[TIME_EXAMPLE])
    links: Links

    @classmethod
    def of(cls, accepted: Accepted) -> "AcceptedView":
        """Describe what was accepted."""
        notification = public_id(NOTIFICATION, accepted.id)
        return cls(
            id=notification,
            status=Status.SCHEDULED if accepted.is_scheduled else Status.PENDING,
            created_at=accepted.accepted_at,
            due_at=accepted.due_at,
            links=Links.to(notification),
        )


class StatusView(BaseModel):
    """Where a notification stands, and why."""

    id: str = Field(examples=[NOTIFICATION_EXAMPLE])
    status: Status = Field(examples=["sent"])
    reason: str | None = Field(examples=["accepted"])
    due_at: datetime = Field(examples=[TIME_EXAMPLE])
    ended_at: datetime | None = Field(examples=[TIME_EXAMPLE])

    @classmethod
    def of(cls, summary: Summary) -> "StatusView":
        """Describe where it stands."""
        row = summary.notification
        return cls(
            id=public_id(NOTIFICATION, row.id),
            status=summary.status,
            reason=summary.reason,
            due_at=row.due_at,
            ended_at=row.ended_at,
        )


class ControlView(StatusView):
    """What a control action came to, and where the notification stands after it."""

    outcome: str = Field(examples=["cancelled"])


class DeliveryView(BaseModel):
    """One message to one address over one channel."""

    id: str
    channel: ChannelKind = Field(examples=["email"])
    state: DeliveryState = Field(examples=["accepted"])
    reason: str | None = Field(examples=["accepted"])
    address: str | None = Field(examples=["ada@example.com"])
    provider: str | None = Field(examples=["smtp.example.net:587"])
    attempts: int = Field(examples=[1])
    variant: str | None = Field(examples=[None], description="The variant of its template that was said.")
    language: str | None = Field(examples=[None], description="The language it was said in.")
    not_before: datetime
    expires_at: datetime
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryView":
        """Describe one delivery."""
        return cls(
            id=public_id(DELIVERY, delivery.id),
            channel=ChannelKind(delivery.channel),
            state=DeliveryState(delivery.state),
            reason=delivery.reason,
            address=delivery.address,
            provider=delivery.provider,
            attempts=delivery.attempt,
            variant=delivery.template_variant,
            language=delivery.language,
            not_before=delivery.not_before,
            expires_at=delivery.expires_at,
            created_at=delivery.created_at,
            ended_at=delivery.ended_at,
        )


class NotificationSummaryView(BaseModel):
    """A notification as lists show it."""

    model_config = ConfigDict(populate_by_name=True)

    id: str = Field(examples=[NOTIFICATION_EXAMPLE])
    status: Status = Field(examples=["sent"])
    reason: str | None = Field(examples=["accepted"])
    user_id: str | None = Field(examples=["user_123"])
    job_id: str | None = Field(examples=[None])
    channel: ChannelKind = Field(examples=["email"])
    channels: list[ChannelKind] = Field(examples=[["email", "in_app"]])
    strategy: Strategy
    priority: PriorityWord = Field(examples=["high"])
    message_class: MessageClass = Field(alias="class", examples=["transactional"])
    notification_type: str | None = Field(examples=["order_shipped"])
    title: str | None = Field(examples=["Your parcel is on its way"])
    scheduled_at: datetime | None = Field(examples=[None])
    due_at: datetime = Field(examples=[TIME_EXAMPLE])
    expires_at: datetime = Field(examples=[TIME_EXAMPLE])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    ended_at: datetime | None = Field(examples=[TIME_EXAMPLE])
    links: Links

    @classmethod
    def of(cls, summary: Summary) -> "NotificationSummaryView":
        """Describe one line of a list."""
        return cls(**summary_fields(summary))


class AttachmentView(BaseModel):
    """A file of a notification, without its bytes."""

    filename: str
    content_type: str
    content_id: str | None
    size: int
    sha256: str


class ContentView(BaseModel):
    """The words."""

    text: str | None
    html: str | None


class SpokenTemplateView(BaseModel):
    """The template a notification speaks with: the version that was newest when it was accepted."""

    id: str = Field(examples=["tmpl_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"])
    version: int = Field(examples=[3])
    language: str | None = Field(examples=["de-AT"], description="The language asked for, if any.")
    variables: dict[str, Any] = Field(examples=[{"name": "Ada"}])

    @classmethod
    def of(cls, content: NotificationContent) -> "SpokenTemplateView | None":
        """Describe the template, if there is one."""
        if content.template_id is None or content.template_version is None:
            return None
        return cls(
            id=public_id(TEMPLATE, content.template_id),
            version=content.template_version,
            language=content.language,
            variables=content.variables or {},
        )


class NotificationView(NotificationSummaryView):
    """A notification with its words, files and deliveries."""

    content: ContentView
    template: SpokenTemplateView | None
    metadata: dict[str, Any] = Field(examples=[{"order": "A-1001"}])
    attachments: list[AttachmentView]
    deliveries: list[DeliveryView]

    @classmethod
    def whole(cls, whole: Whole) -> "NotificationView":
        """Describe everything."""
        return cls(
            **summary_fields(whole.summary),
            content=ContentView(text=whole.content.body_text, html=whole.content.body_html),
            template=SpokenTemplateView.of(whole.content),
            metadata=whole.content.details,
            attachments=[
                AttachmentView(
                    filename=file.filename,
                    content_type=file.content_type,
                    content_id=file.content_id,
                    size=file.size,
                    sha256=file.sha256.hex(),
                )
                for file in whole.attachments
            ],
            deliveries=[DeliveryView.of(delivery) for delivery in whole.deliveries],
        )


class PageView(BaseModel):
    """Some notifications, newest first, and the cursor for the next ones; none when these were the last."""

    items: list[NotificationSummaryView]
    next_cursor: str | None = Field(examples=[None])


def summary_fields(summary: Summary) -> dict[str, Any]:
    """Return what lists and single notifications show alike."""
    row = summary.notification
    notification = public_id(NOTIFICATION, row.id)
    return {
        "id": notification,
        "status": summary.status,
        "reason": summary.reason,
        "user_id": row.user_id,
        "job_id": public_id(JOB, row.job_id) if row.job_id else None,
        "channel": row.channel,
        "channels": row.channels,
        "strategy": row.strategy,
        "priority": Priority(row.priority).label,
        "class": row.message_class,
        "notification_type": row.notification_type,
        "title": summary.title,
        "scheduled_at": row.scheduled_at,
        "due_at": row.due_at,
        "expires_at": row.expires_at,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
        "links": Links.to(notification),
    }
