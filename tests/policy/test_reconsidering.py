"""People who change their minds all the time get nothing after a no, whatever is under way."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from postroom.channels.base import Answer, Evidence, Mark, Parcel, Phase, Suspect, Verdict
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection, Database
from postroom.policy.reconsidering import reconsidered
from tests.fixtures.database import Tenants
from tests.fixtures.house import gather, outfit, pass_over, send
from tests.fixtures.rows import Draft, accepted, rows
from tests.policy.people import TIMING

PEOPLE = [f"user{number}" for number in range(30)]
SAY = """
INSERT INTO preferences (tenant_id, user_id, notification_type, channel, enabled) VALUES (%s, %s, '*', '*', %s)
ON CONFLICT (tenant_id, user_id, notification_type, channel) DO UPDATE SET enabled = excluded.enabled
"""
CARRIERS = "SELECT id FROM carriers WHERE tenant_id = %s AND state = 'open'"
MARKED = """
SELECT n.user_id, d.marked_at FROM deliveries d JOIN notifications n ON n.id = d.notification_id
WHERE d.tenant_id = %s AND d.marked_at IS NOT NULL
"""


class Leisurely:
    """A relay that takes its time before it asks for the body."""

    kind = ChannelKind.EMAIL

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:  # noqa: ARG002 - everybody is answered alike
        """Take the message, if it may still go."""
        await asyncio.sleep(random.random() / 8)  # noqa: S311 - no secret
        if not await mark(b"the bytes", "relay"):
            return Answer(Verdict.WITHDRAWN, Phase.MARK, "withdrawn", "relay")
        return Answer(Verdict.ACCEPTED, Phase.ANSWER, "accepted", "relay")

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:  # noqa: ARG002 - it knows nothing
        """Know nothing."""
        return {}

    async def close(self) -> None:
        """Hold nothing open."""


async def test_nothing_leaves_between_a_no_and_the_next_yes(database: Database, tenants: Tenants) -> None:
    said: dict[str, list[tuple[datetime, datetime, bool]]] = defaultdict(list)
    over = asyncio.Event()

    async def change_minds(people: Sequence[str]) -> None:
        while not over.is_set():
            for one in people:
                wanted = random.random() < 0.5  # noqa: S311 - no secret
                async with reconsidered(database, tenants.alice.id, one) as connection:
                    await connection.execute(SAY, (tenants.alice.id, one, wanted))
                    begun = await clock(connection)
                async with database.tenant_transaction(tenants.alice.id) as connection:
                    said[one].append((begun, await clock(connection), wanted))

    async def write_to_all() -> None:
        for _ in range(3):
            for one in PEOPLE * 4:
                await accepted(database, letter(tenants.alice.id, one))
            for _ in range(5):
                await pass_over_all(database, tenants.alice.id)
        over.set()

    await asyncio.gather(write_to_all(), change_minds(PEOPLE[::2]), change_minds(PEOPLE[1::2]))
    marked = await rows(database, MARKED, tenants.alice.id)
    assert marked
    assert not [one for one in marked if unwanted(said[one["user_id"]], one["marked_at"])]


def letter(tenant_id: UUID, user_id: str) -> Draft:
    metadata: dict[str, Any] = {"email": f"{user_id}@shop.de"}
    return Draft(tenant_id, user_id, channels=(ChannelKind.EMAIL,), metadata=metadata, life=timedelta(hours=3))


async def pass_over_all(database: Database, tenant_id: UUID) -> None:
    sent_with = outfit(database, TIMING, {ChannelKind.EMAIL: Leisurely()})
    await gather(database, TIMING, tenant_id, alone=0)
    carriers = await rows(database, CARRIERS, tenant_id)
    await asyncio.gather(*(send(sent_with, pass_over(tenant_id, row["id"], ChannelKind.EMAIL)) for row in carriers))


async def clock(connection: Connection) -> datetime:
    [row] = await (await connection.execute("SELECT clock_timestamp() AS now")).fetchall()
    at: datetime = row["now"]
    return at


def unwanted(said: Sequence[tuple[datetime, datetime, bool]], at: datetime) -> bool:
    """Whether a no was answered before, and nobody had begun to say yes again."""
    begun = [wanted for start, _, wanted in said if start <= at]
    answered = [wanted for _, end, wanted in said if end <= at]
    return bool(answered) and len(begun) == len(answered) and not answered[-1]
