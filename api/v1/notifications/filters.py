"""The filters of lists of notifications, as query parameters."""

from typing import Annotated

from fastapi import Depends, Query

from api.v1.examples import JOB_EXAMPLE
from api.v1.fields import Instant, UserId, Word
from api.v1.notifications.bodies import PriorityWord
from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.identity import JOB, parse_id
from postroom.notifications.record import Filters
from postroom.notifications.status import Status


def filters(  # noqa: PLR0913 - one parameter per filter is what makes them documented one by one
    *,
    status: Annotated[Status | None, Query(examples=["retrying"])] = None,
    channel: Annotated[ChannelKind | None, Query(examples=["email"])] = None,
    priority: Annotated[PriorityWord | None, Query(examples=["high"])] = None,
    message_class: Annotated[MessageClass | None, Query(alias="class", examples=["security"])] = None,
    user_id: Annotated[UserId | None, Query(examples=["user_123"])] = None,
    notification_type: Annotated[Word | None, Query(examples=["order_shipped"])] = None,
    job_id: Annotated[str | None, Query(description="Those of one job.", examples=[JOB_EXAMPLE])] = None,
    created_after: Annotated[Instant | None, Query(examples=["2026-11-20T00:00:00Z"])] = None,
    created_before: Annotated[Instant | None, Query(examples=["2026-11-21T00:00:00Z"])] = None,
) -> Filters:
    """Read the filters of a list."""
    return Filters(
        status=status,
        channel=channel,
        priority=priority.priority if priority else None,
        message_class=message_class,
        user_id=user_id,
        notification_type=notification_type,
        job_id=parse_id(JOB, job_id) if job_id else None,
        created_after=created_after,
        created_before=created_before,
    )


FilterQuery = Annotated[Filters, Depends(filters)]
