"""What a caller reads about digests."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from api.v1.examples import NOTIFICATION_EXAMPLE, TIME_EXAMPLE
from postroom.contracts.vocabulary import ChannelKind, NotificationState
from postroom.digests.service import Digest, DigestState, Item
from postroom.identity import DIGEST, NOTIFICATION, public_id

DIGEST_EXAMPLE = "dig_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"


class DigestView(BaseModel):
    """What one person is told of one type over one channel, once it closes."""

    id: str = Field(examples=[DIGEST_EXAMPLE])
    user_id: str = Field(examples=["user_123"])
    notification_type: str = Field(examples=["order_shipped"])
    channel: ChannelKind = Field(examples=["email"])
    state: DigestState = Field(examples=["open"])
    item_count: int = Field(description="How many wait in it, or were told.", examples=[7])
    closes_at: datetime = Field(examples=["2026-11-21T08:00:00.000000Z"])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    closed_at: datetime | None = Field(examples=[None])
    notification: str | None = Field(
        description="The notification that told of them; none while it is open, or if nothing was left to tell.",
        examples=[None],
    )
    workflow_id: str | None = Field(examples=[f"digest/demo/{DIGEST_EXAMPLE}"])

    @classmethod
    def of(cls, digest: Digest) -> "DigestView":
        """Describe one digest."""
        return cls(
            id=public_id(DIGEST, digest.id),
            user_id=digest.user_id,
            notification_type=digest.notification_type,
            channel=ChannelKind(digest.channel),
            state=digest.state,
            item_count=digest.items,
            closes_at=digest.closes_at,
            created_at=digest.created_at,
            closed_at=digest.closed_at,
            notification=public_id(NOTIFICATION, digest.notification_id) if digest.notification_id else None,
            workflow_id=digest.workflow_id,
        )


class ItemView(BaseModel):
    """A notification that came into a digest, and what became of it."""

    notification: str = Field(examples=[NOTIFICATION_EXAMPLE])
    added_at: datetime = Field(examples=[TIME_EXAMPLE])
    taken_at: datetime | None = Field(examples=[None])
    state: NotificationState = Field(examples=["open"])
    reason: str | None = Field(examples=[None])


class WholeDigestView(DigestView):
    """A digest with the first hundred of its items."""

    items: list[ItemView]

    @classmethod
    def whole(cls, digest: Digest, items: Sequence[Item]) -> "WholeDigestView":
        """Describe everything."""
        return cls(
            **DigestView.of(digest).model_dump(),
            items=[
                ItemView(
                    notification=public_id(NOTIFICATION, item.notification_id),
                    added_at=item.added_at,
                    taken_at=item.taken_at,
                    state=NotificationState(item.state),
                    reason=item.reason,
                )
                for item in items
            ],
        )


class DigestsView(BaseModel):
    """Some digests, newest first, and the cursor for the next ones; none when these were the last."""

    items: list[DigestView]
    next_cursor: str | None = Field(examples=[None])
