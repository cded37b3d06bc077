"""A page of messages and a provider that is away: all of it waits, one at a time probes, and then everything goes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.presets import Security
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions
from postroom.contracts.carriers import Plan
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.engine import free_port
from tests.fixtures.house import MAIL_DOMAIN, gather, outfit, pass_over, send
from tests.fixtures.rows import Draft, accepted, rows
from tests.fixtures.sink import Action, Behaviour, Sink, Step

PAGE = 100
TIMING = replace(Timing(), outage_first=timedelta(seconds=0.6), outage_last=timedelta(seconds=0.6))
EVENTS = """
SELECT e.kind, e.reason, count(*) AS events, count(DISTINCT e.notification_id) AS members
FROM notification_events e WHERE e.tenant_id = %s GROUP BY e.kind, e.reason
"""
STATES = "SELECT state, attempt, count(*) AS count FROM deliveries WHERE tenant_id = %s GROUP BY state, attempt"


class Page:
    """One page of e-mails for a provider that is to stand at a port of this machine."""

    def __init__(self, database: Database, tenant_id: UUID, channel: EmailChannel) -> None:
        self.database, self.tenant_id, self._channel = database, tenant_id, channel

    async def fill(self) -> None:
        draft = Draft(self.tenant_id, channels=(ChannelKind.EMAIL,))
        for number in range(PAGE):
            each = replace(draft, user_id=f"user{number}", metadata={"email": f"ok+{number}@example.org"})
            await accepted(self.database, each)
        await gather(self.database, TIMING, self.tenant_id)

    async def run_pass(self) -> Plan:
        [row] = await rows(self.database, "SELECT id FROM carriers WHERE tenant_id = %s", self.tenant_id)
        worn = outfit(self.database, TIMING, {ChannelKind.EMAIL: self._channel})
        return await send(worn, pass_over(self.tenant_id, row["id"], ChannelKind.EMAIL))

    async def wait_and_run(self, plan: Plan) -> Plan:
        assert plan.wait is not None
        await asyncio.sleep(plan.wait.total_seconds() + 0.02)
        return await self.run_pass()

    async def states(self) -> dict[tuple[str, int], int]:
        found = await rows(self.database, STATES, self.tenant_id)
        return {(row["state"], row["attempt"]): row["count"] for row in found}


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def page(database: Database, tenants: Tenants, port: int) -> AsyncIterator[Page]:
    provider = Provider("relay", "127.0.0.1", port, Security.NONE)

    async def providers_of(_: UUID) -> Sequence[Provider]:
        return [provider]

    channel = EmailChannel(providers_of, TIMING, EmailOptions(MAIL_DOMAIN, 4))
    filled = Page(database, tenants.alice.id, channel)
    await filled.fill()
    yield filled
    await channel.close()


async def test_a_whole_page_waits_probes_and_goes(database: Database, page: Page, port: int) -> None:
    plan = await page.run_pass()
    for _ in range(2):  # nobody listens
        assert (plan.due, bool(plan.wait)) == ((), True)
        plan = await page.wait_and_run(plan)
    assert await page.states() == {("pending", 0): PAGE}
    told = [{"kind": "provider_outage", "reason": "provider_unreachable", "events": PAGE, "members": PAGE}]
    assert await rows(database, EVENTS, page.tenant_id) == told

    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(Sink.open(ports=(port, 0)))
        sink.behave("*", Behaviour(Step.BANNER, Action.REPLY, "421 4.3.2 Busy"))
        for probes in (1, 2):
            plan = await page.wait_and_run(plan)
            assert sink.connections == probes, "one message asks for all of them"
        assert await page.states() == {("pending", 0): PAGE}

        sink.behave("*")
        plan = await page.wait_and_run(plan)
        assert (await page.states())["accepted", 1] >= 1, "the probe itself is a message that was sent"
        if not plan.closed:
            plan = await page.wait_and_run(plan)
        assert (plan.closed, await page.states()) == (True, {("accepted", 1): PAGE})
        assert (len(sink.accepted), max(sink.copies().values())) == (PAGE, 1)
    reasons = {row["reason"]: (row["events"], row["members"]) for row in await rows(database, EVENTS, page.tenant_id)}
    assert reasons == {"provider_unreachable": (PAGE, PAGE), "provider_busy": (PAGE, PAGE)}
