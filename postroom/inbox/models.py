"""Inbox messages as SQLAlchemy sees the table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlalchemy.orm import Mapped, mapped_column

from postroom.database.tables import Table


class InboxMessage(Table):
    """A message lying in a person's inbox; it is unread until `read_at` is set."""

    __tablename__ = "inbox_messages"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    user_id: Mapped[str] = mapped_column(Text)
    notification_id: Mapped[UUID]
    delivery_id: Mapped[UUID]
    notification_type: Mapped[str | None] = mapped_column(Text)
    title: Mapped[str | None] = mapped_column(Text)
    body_text: Mapped[str | None] = mapped_column(Text)
    body_html: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    read_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
