"""What a pass needs to know of its task and page: the terms as they were pinned, and whether it may go on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from postroom.channels.base import Bulk
from postroom.contracts.vocabulary import ChannelKind, MessageClass, TaskState
from postroom.database.engine import Connection
from postroom.identity import SENDER_SERVICE, parse_id

READ = """
SELECT t.id, t.tenant_id, t.campaign_id, t.channel, t.class AS message_class, t.state, t.cancel_requested, t.sender,
       t.tracking, t.pinned, t.content -> 'variables' AS variables,
       coalesce(t.held_until > now(), false) AS held, p.number, p.first_seq, p.last_seq
FROM campaign_tasks t JOIN task_pages p ON p.task_id = t.id
WHERE t.id = %(task_id)s AND p.number = %(page)s
"""


@dataclass(frozen=True)
class Order:
    """One page of a task, and how the task is sent."""

    id: UUID
    tenant_id: UUID
    campaign_id: UUID
    channel: str
    message_class: str
    state: str
    cancel_requested: bool
    sender: Mapping[str, Any]
    tracking: Mapping[str, Any]
    pinned: Sequence[Mapping[str, Any]]
    variables: Mapping[str, Any] | None
    held: bool
    number: int
    first_seq: int
    last_seq: int

    @property
    def goes_on(self) -> bool:
        """Whether anything may be handed off now."""
        return self.state == TaskState.SENDING and not self.held

    @property
    def way(self) -> ChannelKind:
        """The channel it goes over."""
        return ChannelKind(self.channel)

    @property
    def rows(self) -> dict[str, object]:
        """Which deliveries these are, as the statements name them."""
        return {"task_id": self.id, "first": self.first_seq, "last": self.last_seq, "page": self.number}

    @cached_property
    def _services(self) -> tuple[UUID, ...]:
        return tuple(parse_id(SENDER_SERVICE, one) for one in self.sender.get("services") or ())

    def bulk(self, seq: int) -> Bulk:
        """What one recipient has beside a single message; unless the terms say otherwise, marketing is tracked."""
        usual = self.message_class == MessageClass.MARKETING
        return Bulk(
            task_id=self.id,
            campaign_id=self.campaign_id,
            seq=seq,
            services=self._services,
            reply_to=self.sender.get("reply_to"),
            track_opens=bool(self.tracking.get("opens", usual)),
            track_clicks=bool(self.tracking.get("clicks", usual)),
        )


async def order(connection: Connection, task_id: UUID, page: int) -> Order | None:
    """Read the order of one page; None when there is no such page."""
    row = await (await connection.execute(READ, {"task_id": task_id, "page": page})).fetchone()
    return Order(**row) if row else None
