"""Inboxes, as the API reads them and notes what was read."""

from uuid import UUID

from postroom.database.engine import Database
from postroom.errors import NotFound
from postroom.inbox import repository
from postroom.inbox.models import InboxMessage
from postroom.paging import Page


class Inbox:
    """The inboxes of one deployment's people, each seen by one tenant only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant_id: UUID, user_id: str, window: tuple[UUID | None, int], *, unread: bool | None = None
    ) -> Page[InboxMessage]:
        """Return messages, newest first; `window` is the id to start behind, and how many."""
        after, limit = window
        async with self._database.tenant_session(tenant_id) as session:
            found = await repository.messages_of(session, user_id, (after, limit + 1), unread=unread)
        items = found[:limit]
        return Page(items, items[-1].id if len(found) > limit else None)

    async def unread_count(self, tenant_id: UUID, user_id: str) -> int:
        """Return how many messages are unread."""
        async with self._database.tenant_session(tenant_id) as session:
            return await repository.count_unread(session, user_id)

    async def read(self, tenant_id: UUID, user_id: str, message_id: UUID) -> InboxMessage:
        """Note that one message was read; noting it twice keeps the first time."""
        async with self._database.tenant_session(tenant_id) as session:
            message = await repository.mark_read(session, user_id, message_id)
        if message is None:
            raise NotFound("There is no such message in this inbox.")
        return message

    async def read_all(self, tenant_id: UUID, user_id: str) -> int:
        """Note that everything was read; returns how many messages that changed."""
        async with self._database.tenant_session(tenant_id) as session:
            return await repository.mark_all_read(session, user_id)
