"""The parameters that several routes share."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Path, Query, Request

from api.v1.examples import JOB_EXAMPLE, NOTIFICATION_EXAMPLE
from api.v1.fields import UserId
from postroom.identity import NOTIFICATION, parse_id
from postroom.notifications.replay import idempotency_key
from postroom.notifications.request import IdempotencyKey
from postroom.paging import DEFAULT_LIMIT, LIMIT

NotificationId = Annotated[str, Path(description="The id of a notification.", examples=[NOTIFICATION_EXAMPLE])]
JobId = Annotated[str, Path(description="The id of a job.", examples=[JOB_EXAMPLE])]
PathUserId = Annotated[UserId, Path(description="The tenant's own name for a person.", examples=["user_123"])]


@dataclass(frozen=True, slots=True)
class Window:
    """Where a page starts, and how long it is."""

    cursor: str | None
    limit: int


def window(
    cursor: Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT)] = DEFAULT_LIMIT,
) -> Window:
    """Read which page is asked for."""
    return Window(cursor or None, limit)


WindowQuery = Annotated[Window, Depends(window)]


async def named_request(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="The caller's name for this request; repeating it within 24 hours repeats the answer.",
            examples=["order-A-1001-shipped"],
        ),
    ] = None,
) -> IdempotencyKey | None:
    """Read the caller's name for a request, together with what it asks for."""
    return None if key is None else idempotency_key(key, await request.json())


NamedRequest = Annotated[IdempotencyKey | None, Depends(named_request)]

GivenName = Annotated[str | None, Header(alias="Idempotency-Key", description="The caller's name for this request.")]


def named_action(request: Request, key: GivenName = None) -> IdempotencyKey | None:
    """Read the caller's name for a request that has no body; one that comes along says nothing."""
    return None if key is None else idempotency_key(key, [request.url.path, None])


NamedAction = Annotated[IdempotencyKey | None, Depends(named_action)]


async def named_call(request: Request, key: GivenName = None) -> IdempotencyKey | None:
    """Read the caller's name for a request; what it asks for is the path together with the body."""
    return None if key is None else idempotency_key(key, [request.url.path, await request.json()])


NamedCall = Annotated[IdempotencyKey | None, Depends(named_call)]


def notification_id(text: str) -> UUID:
    """Read the id of a notification; a malformed one names nothing."""
    return parse_id(NOTIFICATION, text)
