"""Reading back what was accepted and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from postroom.attachments.models import NotificationAttachment
from postroom.database.engine import Database
from postroom.errors import NotFound
from postroom.notifications import record
from postroom.notifications.models import Carrier, Delivery, NotificationContent
from postroom.notifications.record import Filters, Summary
from postroom.notifications.timeline import Entry, speech, tell
from postroom.paging import Page


@dataclass(frozen=True, slots=True)
class Whole:
    """A notification with its words, files and deliveries."""

    summary: Summary
    content: NotificationContent
    attachments: Sequence[NotificationAttachment]
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened, in order, and who carries the notification now."""

    summary: Summary
    entries: Sequence[Entry]
    carrier: Carrier | None


class Reading:
    """Notifications of one deployment, each seen by one tenant only; every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def summary(self, tenant_id: UUID, notification_id: UUID) -> Summary:
        """Return a notification with its status."""
        async with self._database.tenant_session(tenant_id) as session:
            return await _found(session, notification_id)

    async def whole(self, tenant_id: UUID, notification_id: UUID) -> Whole:
        """Return a notification with everything that belongs to it but the bytes of its files."""
        async with self._database.tenant_session(tenant_id) as session:
            return Whole(
                await _found(session, notification_id),
                await record.content_of(session, notification_id),
                await record.attachments_of(session, notification_id),
                await record.deliveries_of(session, notification_id),
            )

    async def page(self, tenant_id: UUID, filters: Filters, window: tuple[UUID | None, int]) -> Page[Summary]:
        """Return notifications, newest first; `window` is the id to start behind, and how many."""
        after, limit = window
        async with self._database.tenant_session(tenant_id) as session:
            await record.limit_time(session)
            found = await record.summaries(session, filters, (after, limit + 1))
        items = found[:limit]
        return Page(items, items[-1].notification.id if len(found) > limit else None)

    async def timeline(self, tenant_id: UUID, notification_id: UUID) -> Timeline:
        """Return every decision, attempt and reason."""
        async with self._database.tenant_session(tenant_id) as session:
            summary = await _found(session, notification_id)
            carrier_id = summary.notification.carrier_id
            carrier = await record.carrier_of(session, carrier_id) if carrier_id else None
            attempts = await record.attempts_of(session, notification_id)
            events = await record.events_of(session, notification_id)
            content = await record.content_of(session, notification_id)
        first, *others = tell(summary.notification, carrier, attempts, events)
        return Timeline(summary, [first, *speech(content, first.at), *others], carrier)


async def _found(session: AsyncSession, notification_id: UUID) -> Summary:
    summary = await record.summary_of(session, notification_id)
    if summary is None:
        raise NotFound("There is no such notification.")
    return summary
