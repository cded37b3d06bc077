"""What a caller writes to send a notification."""

import asyncio
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from api.v1.body import Body
from api.v1.fields import ChannelShare, Instant, Metadata, UserId, Word, as_field
from api.v1.notifications.times import When
from api.v1.notifications.ways import Ways
from api.v1.notifications.wording import EMPTY, Wording
from postroom.attachments.unpacking import unpack
from postroom.channels.base import Enclosure
from postroom.channels.email.headers import check_content_id, check_filename
from postroom.contracts.vocabulary import MessageClass, Priority, Strategy
from postroom.errors import Invalid
from postroom.notifications.request import Request
from postroom.tenants.gate import Identity

ATTACHMENTS = 20
HEAVY_CHARACTERS = 100_000  # more base64 than this is unpacked beside the event loop


class PriorityWord(StrEnum):
    """How soon: critical within a second, low within half an hour."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def priority(self) -> Priority:
        """The number behind the word."""
        return Priority[self.name]


class AttachmentBody(Body):
    """A file; an inline image when it has a content id, which the HTML names as `cid:`."""

    filename: Annotated[str, Field(min_length=1), AfterValidator(as_field(check_filename))]
    content_type: Annotated[str, Field(max_length=130, examples=["application/pdf"])]
    content: Annotated[str, Field(description="base64", examples=["JVBERi0xLjcK"])]
    content_id: Annotated[str, AfterValidator(as_field(check_content_id))] | None = None


class Message(When, Wording, Ways):
    """What is said, how and when; to whom is another matter."""

    tenant_id: Word | None = Field(default=None, description="Only the key's own tenant, for older callers.")
    strategy: Strategy = Strategy.FIRST
    priority: PriorityWord = PriorityWord.MEDIUM
    message_class: MessageClass | None = Field(
        default=None,
        alias="class",
        description="By default that of the type, when it is declared; otherwise transactional.",
    )
    notification_type: Word | None = None
    metadata: Metadata = Field(default_factory=dict)
    attachments: list[AttachmentBody] = Field(default_factory=list, max_length=ATTACHMENTS)
    expires_at: Instant | None = None
    fallback_after: ChannelShare | None = Field(
        default=None, description="How long one channel may try before the next has its turn; at most 7 days."
    )

    async def request(self, identity: Identity, attachments_limit: int) -> Request:
        """Put the fields together.

        Raises:
            Invalid: they contradict each other, or an attachment is not allowed.
            TooLarge: the attachments are, together.
        """
        if self.tenant_id is not None and not identity.is_named_by(self.tenant_id):
            raise Invalid.at("/tenant_id", "tenant_mismatch", "This is not the tenant of the key.")
        template, content = self.template_use(), self.content or EMPTY
        return Request(
            channels=self.ways(),
            title=self.title,
            body_text=content.text or None,
            body_html=content.html or None,
            metadata=self.metadata,
            strategy=self.strategy,
            priority=self.priority.priority,
            message_class=self.message_class or MessageClass.TRANSACTIONAL,
            names_class=self.message_class is not None,
            notification_type=self.notification_type,
            schedule=self.schedule(),
            expires_at=self.expires_at,
            fallback_after=self.fallback_after,
            attachments=await self._enclosures(attachments_limit) if self.attachments else (),
            template=template,
        )

    async def _enclosures(self, limit: int) -> tuple[Enclosure, ...]:
        packed = [(one.filename, one.content_type, one.content, one.content_id) for one in self.attachments]
        if sum(len(one.content) for one in self.attachments) > HEAVY_CHARACTERS:
            return await asyncio.to_thread(unpack, packed, limit)
        return unpack(packed, limit)


class NewNotification(Message):
    """One message to one person."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "user_id": "user_123",
                    "channels": ["email", "in_app"],
                    "priority": "high",
                    "class": "transactional",
                    "title": "Your parcel is on its way",
                    "content": {"text": "It arrives tomorrow.", "html": "<p>It arrives <b>tomorrow</b>.</p>"},
                    "metadata": {"email": "ada@example.com", "order": "A-1001"},
                    "notification_type": "order_shipped",
                    "delay": "PT5M",
                },
                {
                    "user_id": "user_123",
                    "channel": "email",
                    "template": "parcel-shipped",
                    "variables": {"name": "Ada", "order": {"number": "A-1001"}},
                    "language": "de-AT",
                },
            ]
        },
    )

    user_id: UserId | None = None

    async def request(self, identity: Identity, attachments_limit: int) -> Request:
        """Put the fields together; raises what `Message.request` does."""
        return replace(await super().request(identity, attachments_limit), user_id=self.user_id)
