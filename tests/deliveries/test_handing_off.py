"""What a send pass brings to a channel, and what it does not bring there any more."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from postroom.channels.base import Answer, Evidence, Mark, Parcel, Phase, Suspect, Verdict
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.presets import Security
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions
from postroom.contracts.carriers import Plan
from postroom.contracts.vocabulary import ChannelKind, Priority
from postroom.database.engine import Database
from postroom.timing import Timing
from tests.channels.email.scripted import FEATURES, PLAIN_FEATURES, Late, Scripted
from tests.fixtures.database import Tenants
from tests.fixtures.house import MAIL_DOMAIN, gather, outfit, pass_over, send
from tests.fixtures.rows import Draft, accepted, deliveries, notification

TIMING = Timing()


class Slow:
    """A channel that takes its time and sends nothing."""

    kind = ChannelKind.EMAIL

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds
        self.parcels: list[Parcel] = []

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:  # noqa: ARG002 - the protocol's signature
        """Withdraw in the end."""
        self.parcels.append(parcel)
        await asyncio.sleep(self.seconds)
        return Answer(Verdict.WITHDRAWN, Phase.MARK, "withdrawn")

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:  # noqa: ARG002 - as above
        """Nothing was ever handed off."""
        return {}

    async def close(self) -> None:
        """Nothing is held open."""


async def run_pass(database: Database, channel: Slow, timing: Timing, drafts: list[Draft]) -> Plan:
    """Accept drafts, give them a carrier, and send it with one hand-off at a time."""
    tenant_id = drafts[0].tenant_id
    ids = [await accepted(database, draft) for draft in drafts]
    await gather(database, timing, tenant_id, alone=0)
    [carrier] = {(await notification(database, one))["carrier_id"] for one in ids}
    worn = replace(outfit(database, timing, {ChannelKind.EMAIL: channel}), width=1)
    plan = await send(worn, pass_over(tenant_id, carrier, ChannelKind.EMAIL))
    states = [delivery["state"] for one in ids for delivery in await deliveries(database, one)]
    assert states == ["pending"] * len(ids)
    return plan


def mail_to(tenant_id: UUID, name: str, priority: Priority = Priority.MEDIUM) -> Draft:
    metadata = {"email": f"{name}@example.com"}
    return Draft(tenant_id, user_id=name, channels=(ChannelKind.EMAIL,), metadata=metadata, priority=priority)


async def test_a_channel_knows_how_urgent_a_parcel_is(database: Database, tenants: Tenants) -> None:
    channel, tenant_id = Slow(), tenants.alice.id
    await run_pass(database, channel, TIMING, [mail_to(tenant_id, "ada", Priority.HIGH)])
    assert [parcel.priority for parcel in channel.parcels] == [Priority.HIGH]


async def test_what_waited_longer_than_its_claim_is_not_brought_there(database: Database, tenants: Tenants) -> None:
    channel, tenant_id = Slow(seconds=0.4), tenants.alice.id
    brief = replace(TIMING, claim_lease=timedelta(seconds=0.3))
    plan = await run_pass(database, channel, brief, [mail_to(tenant_id, name) for name in ("ada", "grace")])
    assert len(channel.parcels) == 1
    assert [due.count for due in plan.due] == [2]


@pytest.mark.parametrize("features", [FEATURES, PLAIN_FEATURES], ids=["pipelining", "step by step"])
async def test_a_claim_that_ends_in_the_line_for_a_connection_costs_no_connection(
    database: Database, tenants: Tenants, features: Sequence[str]
) -> None:
    brief = replace(TIMING, claim_lease=timedelta(seconds=0.4), follow_patience=timedelta(seconds=0.1))
    names = ["ada", "grace", "edsger", "barbara"]
    ids = [await accepted(database, mail_to(tenants.alice.id, name)) for name in names]
    await gather(database, brief, tenants.alice.id, alone=0)
    [carrier] = {(await notification(database, one))["carrier_id"] for one in ids}
    async with Scripted(script={"BODY": [Late(0.8, b"250 2.0.0 kept\r\n")]}, features=features) as server:
        relay = Provider("relay", "127.0.0.1", server.port, Security.NONE)

        async def providers_of(_: UUID) -> list[Provider]:
            return [relay]

        channel = EmailChannel(providers_of, brief, EmailOptions(MAIL_DOMAIN, connections=1))
        worn = outfit(database, brief, {ChannelKind.EMAIL: channel})
        plan = await send(worn, pass_over(tenants.alice.id, carrier, ChannelKind.EMAIL))
        await channel.close()
    assert plan.counts == {"sent": 1, "open": 3}
    assert [due.count for due in plan.due] == [3]
    assert (server.connections, len(server.received)) == (1, 1)
