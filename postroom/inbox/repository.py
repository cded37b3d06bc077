"""Statements about inboxes, inside a tenant's session."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from postroom.inbox.models import InboxMessage


async def messages_of(
    session: AsyncSession, user_id: str, window: tuple[UUID | None, int], *, unread: bool | None
) -> Sequence[InboxMessage]:
    """Return a person's messages, newest first; `window` is the id to start behind, and how many."""
    after, count = window
    statement = select(InboxMessage).where(InboxMessage.user_id == user_id).order_by(InboxMessage.id.desc())
    if after is not None:
        statement = statement.where(InboxMessage.id < after)
    if unread is not None:
        statement = statement.where(InboxMessage.read_at.is_(None) if unread else InboxMessage.read_at.is_not(None))
    return (await session.scalars(statement.limit(count))).all()


async def count_unread(session: AsyncSession, user_id: str) -> int:
    """Return how many messages a person has not read."""
    statement = select(func.count()).where(InboxMessage.user_id == user_id, InboxMessage.read_at.is_(None))
    return (await session.scalars(statement)).one()


async def mark_read(session: AsyncSession, user_id: str, message_id: UUID) -> InboxMessage | None:
    """Note that a message was read, keeping the first time; None when it is not this person's."""
    statement = (
        update(InboxMessage)
        .where(InboxMessage.user_id == user_id, InboxMessage.id == message_id)
        .values(read_at=func.coalesce(InboxMessage.read_at, func.now()))
        .returning(InboxMessage)
    )
    return (await session.scalars(statement)).one_or_none()


async def mark_all_read(session: AsyncSession, user_id: str) -> int:
    """Note that everything was read; returns how many messages that changed."""
    statement = (
        update(InboxMessage)
        .where(InboxMessage.user_id == user_id, InboxMessage.read_at.is_(None))
        .values(read_at=func.now())
        .returning(InboxMessage.id)
    )
    return len((await session.scalars(statement)).all())
