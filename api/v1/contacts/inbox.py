"""Routes of a person's in-app inbox."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from api.dependencies import Caller, Key
from api.patience import PatientRoute
from api.v1.examples import NOTIFICATION_EXAMPLE, TIME_EXAMPLE
from api.v1.parameters import PathUserId, WindowQuery
from api.v1.refusals import refusals
from postroom.identity import INBOX, NOTIFICATION, parse_id, public_id
from postroom.inbox.models import InboxMessage
from postroom.tenants.keys import Scope

router = APIRouter(prefix="/users/{user_id:path}/inbox", tags=["inbox"], route_class=PatientRoute)

Reader = Annotated[Caller, Depends(Key(Scope.INBOX_READ))]
Writer = Annotated[Caller, Depends(Key(Scope.INBOX_WRITE))]
MESSAGE_EXAMPLE = "inbox_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"


class MessageView(BaseModel):
    """A message in an inbox; unread until `read_at` is set."""

    id: str = Field(examples=[MESSAGE_EXAMPLE])
    notification_id: str = Field(examples=[NOTIFICATION_EXAMPLE])
    notification_type: str | None = Field(examples=["order_shipped"])
    title: str | None = Field(examples=["Your parcel is on its way"])
    text: str | None = Field(examples=["It arrives tomorrow."])
    html: str | None = Field(examples=[None])
    created_at: datetime = Field(examples=[TIME_EXAMPLE])
    read_at: datetime | None = Field(examples=[None])

    @classmethod
    def of(cls, message: InboxMessage) -> "MessageView":
        """Describe a message."""
        return cls(
            id=public_id(INBOX, message.id),
            notification_id=public_id(NOTIFICATION, message.notification_id),
            notification_type=message.notification_type,
            title=message.title,
            text=message.body_text,
            html=message.body_html,
            created_at=message.created_at,
            read_at=message.read_at,
        )


class InboxView(BaseModel):
    """Some messages, newest first, and the cursor for the next ones."""

    items: list[MessageView]
    next_cursor: str | None = Field(examples=[None])


class UnreadView(BaseModel):
    """How many messages are unread."""

    unread: int = Field(examples=[3])


class ReadAllView(BaseModel):
    """How many messages became read."""

    read: int = Field(examples=[3])


@router.get("/unread-count", responses=refusals(), summary="Count unread messages")
async def count_unread(user_id: PathUserId, caller: Reader) -> UnreadView:
    """Return the number for the badge."""
    return UnreadView(unread=await caller.services.inbox.unread_count(caller.identity.tenant_id, user_id))


@router.get("", responses=refusals(), summary="Read an inbox")
async def read_inbox(
    user_id: PathUserId,
    caller: Reader,
    window: WindowQuery,
    unread: Annotated[bool | None, Query(description="Only unread ones, or only read ones.")] = None,
) -> InboxView:
    """Messages of a person, newest first."""
    tenant_id, services = caller.identity.tenant_id, caller.services
    question = f"inbox {unread} {user_id}"
    after = services.cursors.read(tenant_id, question, window.cursor)
    page = await services.inbox.page(tenant_id, user_id, (after, window.limit), unread=unread)
    return InboxView(
        items=[MessageView.of(message) for message in page.items],
        next_cursor=services.cursors.write(tenant_id, question, page.next_after),
    )


@router.post("/{id}/read", responses=refusals(404), summary="Mark a message read")
async def mark_read(
    user_id: PathUserId,
    id: Annotated[str, Path(examples=[MESSAGE_EXAMPLE])],  # noqa: A002 - the path's name
    caller: Writer,
) -> MessageView:
    """Note that it was read; noting it again keeps the first time."""
    message = await caller.services.inbox.read(caller.identity.tenant_id, user_id, parse_id(INBOX, id))
    return MessageView.of(message)


@router.post("/read-all", responses=refusals(), summary="Mark all messages read")
async def mark_all_read(user_id: PathUserId, caller: Writer) -> ReadAllView:
    """Note that everything was read."""
    return ReadAllView(read=await caller.services.inbox.read_all(caller.identity.tenant_id, user_id))
