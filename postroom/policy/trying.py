"""A dry run: what would become of a message to a person now, or at another time; nothing is written, no place taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from postroom.contracts.vocabulary import ChannelKind, MessageClass, Priority
from postroom.database.engine import Connection, Database
from postroom.deliveries.routing import Skip, route
from postroom.errors import Invalid
from postroom.identity import new_id
from postroom.policy.explaining import Explanation, explain, unreachable
from postroom.policy.reading import COLUMNS, PERSON, TYPE, Candidate, read_background
from postroom.policy.usage import Register
from postroom.timing import Timing
from postroom.webhooks.addressing import DISABLED, NO_ENDPOINT, addressing

# The row that a claim would read, for a notification that does not exist.
ROW = f"""
SELECT %(id)s::uuid AS notification_id, %(id)s::uuid AS delivery_id, y.class AS type_class, k.addresses, n.at,
       NULL AS frozen_address, {COLUMNS}
FROM (SELECT %(tenant_id)s::uuid AS tenant_id, %(user_id)s::text AS user_id, %(class)s::text AS class,
             %(priority)s::integer AS priority, %(type)s::text AS notification_type, %(send_now)s::boolean AS send_now,
             NULL AS expires_at, coalesce(%(at)s::timestamptz, now()) AS at) n
{PERSON} {TYPE}
"""

ADDRESSLESS = {
    "no_address": "there is no address for this channel",
    NO_ENDPOINT: "the tenant has no endpoint of this URL",
    DISABLED: "the endpoint is disabled",
}


@dataclass(frozen=True, slots=True)
class Question:
    """Would this person get such a message? Without a class it is the type's; `at` None is now."""

    user_id: str
    channels: Sequence[ChannelKind]
    message_class: MessageClass | None = None
    priority: Priority = Priority.MEDIUM
    notification_type: str | None = None
    send_now: bool = False
    at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of it over each channel, and of which class it is."""

    at: datetime
    message_class: MessageClass
    known: bool
    channels: Mapping[ChannelKind, Explanation]


class Trial:
    """Answers questions about messages that nobody sends."""

    def __init__(self, database: Database, timing: Timing, pepper: bytes) -> None:
        self._database, self._timing, self._pepper = database, timing, pepper

    async def ask(self, tenant_id: UUID, question: Question) -> Outlook:
        """Explain what would be decided, in one transaction that writes nothing.

        Raises:
            Invalid: the class is not the one of the type (`class_conflicts_with_type`).
        """
        async with self._database.tenant_transaction(tenant_id) as connection:
            row = await self._row(connection, tenant_id, question)
            outlooks = {
                channel: await self._explain(connection, tenant_id, channel, row) for channel in question.channels
            }
        return Outlook(row["at"], MessageClass(row["class"]), row["known"], outlooks)

    async def _row(self, connection: Connection, tenant_id: UUID, question: Question) -> Mapping[str, Any]:
        asked = {
            "id": new_id(),
            "tenant_id": tenant_id,
            "user_id": question.user_id,
            "class": question.message_class or MessageClass.TRANSACTIONAL,
            "priority": int(question.priority),
            "type": question.notification_type,
            "send_now": question.send_now,
            "at": question.at,
        }
        [row] = await (await connection.execute(ROW, asked)).fetchall()
        declared = row["type_class"]
        if declared and question.message_class and declared != question.message_class:
            raise Invalid.at("/class", "class_conflicts_with_type", f"The class of this type is {declared}.")
        message_class = MessageClass(declared or row["class"])
        known: dict[str, Any] = {"class": message_class, "ends_at": row["at"] + self._timing.life(message_class)}
        if ChannelKind.WEBHOOK in question.channels:
            known["endpoints"] = await addressing(connection, [row["notification_id"]])
        return {**row, **known, "metadata": question.metadata}

    async def _explain(
        self, connection: Connection, tenant_id: UUID, channel: ChannelKind, row: Mapping[str, Any]
    ) -> Explanation:
        way = route(channel, row, self._pepper)
        if isinstance(way, Skip):
            said = ADDRESSLESS.get(way.reason, "the address is none that a message could go to")
            return unreachable(way.reason, said)
        candidate = Candidate(row, way.address, way.address_hash)
        background = await read_background(connection, tenant_id, channel, [candidate])
        facts = background.facts(candidate, *self._timing.cap_windows)
        usage = await Register(connection, tenant_id, channel).look((row["user_id"], row["class"]))
        rank = (int(facts.message.priority), row["notification_id"])
        return explain(replace(facts, taken=usage.taken(candidate.id, rank, row["at"])), row["at"])
