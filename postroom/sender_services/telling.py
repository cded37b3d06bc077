"""Tells that a service froze or thawed: an event for the tenant's endpoints, a message for the operators named."""

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from postroom.contracts.vocabulary import ChannelKind, Priority, Strategy
from postroom.database.engine import Connection
from postroom.identity import SENDER_SERVICE, new_id, public_id
from postroom.notifications.insertion import write_notifications
from postroom.notifications.request import Draft, Request, spelled
from postroom.timing import Timing
from postroom.webhooks.models import EventType
from postroom.webhooks.outgoing import ANNOUNCE

TITLE = "Sender service {name} is frozen"
BODY = """\
The sender service {name} ({id}) took no mail {errors} times in a row, the last time for this reason: {reason}.

It is left alone now. One message will try it at {probe}, and if that goes through, mail flows again by itself; if it
does not, the pauses grow. Campaigns go on over the other services they may use, and wait where there is none.
"""


async def announce(connection: Connection, event: EventType, row: Mapping[str, Any]) -> None:
    """Tell the endpoints that subscribed to it, in the transaction in which it happened; `row` is the service's."""
    data = {
        "service_id": public_id(SENDER_SERVICE, row["id"]),
        "name": row["name"],
        "reason": row["reason"],
        "frozen_by": row["frozen_by"],
        "errors": row["errors"],
        "probe_at": row["probe_at"].isoformat() if row["probe_at"] else None,
    }
    await connection.execute(ANNOUNCE, {"type": event, "data": Jsonb(data)})


async def alert(connection: Connection, row: Mapping[str, Any], timing: Timing) -> None:
    """Write to the operators named for a service that its health has frozen it."""
    told = {
        "name": row["name"],
        "id": public_id(SENDER_SERVICE, row["id"]),
        "errors": row["errors"],
        "reason": row["reason"],
        "probe": row["probe_at"].strftime("%Y-%m-%d %H:%M:%S %Z"),
    }
    title, body = TITLE.format(**told), BODY.format(**told)
    both = (ChannelKind.EMAIL, ChannelKind.IN_APP)
    requests = [
        Request(both, title, body, user_id=person, strategy=Strategy.ALL, priority=Priority.HIGH)
        for person in row["alert_user_ids"]
    ] + [
        Request((ChannelKind.EMAIL,), title, body, metadata={"email": address}, priority=Priority.HIGH)
        for address in row["alert_addresses"]
    ]
    if requests:
        await write_notifications(connection, [_draft(request, row, timing) for request in requests])


def _draft(request: Request, row: Mapping[str, Any], timing: Timing) -> Draft:
    return Draft(
        id=new_id(),
        tenant_id=row["tenant_id"],
        api_key_id=row["created_by"],
        request=request,
        metadata_json=spelled(request.metadata),
        life=timing.life(request.message_class),
        fallback_after=timing.fallback(request.priority),
    )
