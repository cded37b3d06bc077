"""A provider at its limit defers what waits, costs no attempt, and the story says until when."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from postroom.carriers.stories import Wait, tell
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.presets import Security
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions
from postroom.contracts.carriers import Plan
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.limits.allowance import Allowance, Turn
from postroom.limits.limiter import Limiter
from postroom.notifications.reading import Reading
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.house import MAIL_DOMAIN, gather, outfit, pass_over, send
from tests.fixtures.rows import Draft, accepted, change, rows
from tests.fixtures.sink import Sink

TIMING = Timing()


@dataclass(frozen=True)
class Standing:
    """A delivery that waits."""

    attempt: int
    reason: str
    not_before: datetime
    wait: timedelta


class House:
    """Some due e-mails of one tenant, and a channel to a provider with limits."""

    def __init__(self, database: Database, tenant_id: UUID, sink: Sink) -> None:
        self.database, self.tenant_id, self.sink = database, tenant_id, sink
        self.limiter = Limiter(database, TIMING)
        self.name = f"relay-{uuid4().hex}"
        self.allowance = Allowance()
        self.channel = EmailChannel(self.providers_of, TIMING, EmailOptions(MAIL_DOMAIN, 4), self.limiter)
        self.ids: list[UUID] = []

    async def providers_of(self, _: UUID) -> Sequence[Provider]:
        return [Provider(self.name, "127.0.0.1", self.sink.port, Security.NONE, allowance=self.allowance)]

    async def due(self, count: int, allowance: Allowance) -> None:
        self.allowance = allowance
        draft = Draft(self.tenant_id, life=timedelta(days=3), metadata={"email": "ok@example.org"})
        draft = replace(draft, channels=(ChannelKind.EMAIL,))
        each = [replace(draft, user_id=f"user{number}") for number in range(count)]
        self.ids = [await accepted(self.database, one) for one in each]
        await gather(self.database, TIMING, self.tenant_id, alone=0)

    async def run_pass(self) -> Plan:
        [row] = await rows(self.database, "SELECT id FROM carriers WHERE tenant_id = %s", self.tenant_id)
        worn = outfit(self.database, TIMING, {ChannelKind.EMAIL: self.channel})
        return await send(worn, pass_over(self.tenant_id, row["id"], ChannelKind.EMAIL))

    async def waiting(self) -> list[Standing]:
        statement = """
            SELECT attempt, reason, not_before, not_before - now() AS wait FROM deliveries
            WHERE tenant_id = %s AND state = 'pending' ORDER BY not_before
        """
        return [Standing(**row) for row in await rows(self.database, statement, self.tenant_id)]


@pytest.fixture
async def house(database: Database, tenants: Tenants) -> AsyncIterator[House]:
    async with Sink.open() as sink:
        opened = House(database, tenants.alice.id, sink)
        yield opened
        await opened.channel.close()
        await opened.limiter.close()


async def test_the_daily_limit_defers_to_midnight_and_the_story_says_so(database: Database, house: House) -> None:
    await house.due(5, Allowance(per_day=3))

    plan = await house.run_pass()

    assert len(house.sink.accepted) == 3
    waiting = await house.waiting()
    assert plan.closed or waiting[0].wait < TIMING.release_after, "who waits for hours goes back to the relay"
    assert [(one.attempt, one.reason) for one in waiting] == [(0, "provider_daily_limit")] * 2
    for one in waiting:
        midnight = one.not_before.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        assert timedelta(0) <= one.not_before - midnight < timedelta(minutes=1)
        assert timedelta(0) < one.wait <= timedelta(days=1, minutes=1)
    told = [await Reading(database).timeline(house.tenant_id, one) for one in house.ids]
    entries = [entry for one in told for entry in one.entries if entry.kind == "provider_limit"]
    assert len(entries) == 2
    told_so = rf".* 00:00:\d\d UTC, because the provider is at its daily limit \({house.name}\)\."
    assert re.fullmatch(told_so, entries[0].summary)


async def test_the_engine_shows_what_one_alone_waits_for(house: House) -> None:
    await house.due(1, Allowance(per_day=1))
    [provider] = await house.providers_of(house.tenant_id)
    await house.limiter.ask(provider.meter, house.allowance, Turn())
    plan = await house.run_pass()
    assert re.fullmatch(f"email provider {house.name} is at its daily limit until 00:00:.. UTC", plan.story)


async def test_it_is_told_once_and_costs_no_attempt(database: Database, house: House) -> None:
    await house.due(4, Allowance(per_day=1))
    for _ in range(3):
        await house.run_pass()
        await change(database, "UPDATE deliveries SET not_before = now() WHERE tenant_id = %s", house.tenant_id)
    statement = "SELECT kind, count(*) AS count FROM notification_events WHERE tenant_id = %s GROUP BY kind"
    assert await rows(database, statement, house.tenant_id) == [{"kind": "provider_limit", "count": 3}]
    attempts = await rows(
        database, "SELECT event FROM delivery_attempts WHERE tenant_id = %s ORDER BY id", house.tenant_id
    )
    assert [row["event"] for row in attempts] == ["marked", "accepted"]


async def test_they_come_back_as_many_at_a_time_as_there_is_room_for(house: House) -> None:
    await house.due(10, Allowance(per_day=4))

    await house.run_pass()

    days = [one.wait // timedelta(days=1, seconds=10) for one in await house.waiting()]
    assert days == [0, 0, 0, 0, 1, 1]


async def test_a_limit_of_a_second_drains_pass_by_pass(house: House) -> None:
    await house.due(200, Allowance(per_second=1))

    await house.run_pass()

    waiting = await house.waiting()
    assert house.sink.accepted
    assert len(waiting) > 100, "a pass does not wait for all of them"
    gaps = {later.not_before - sooner.not_before for sooner, later in zip(waiting, waiting[2:], strict=False)}
    assert gaps == {timedelta(seconds=2)}, "two of them every two seconds"


def test_the_story_of_another_day_names_it() -> None:
    wait = Wait("pending", 0, "provider_daily_limit", None, ending=False, channel="email", wait=timedelta(hours=30))
    there = replace(wait, provider="ses", at=datetime(2026, 11, 22, tzinfo=UTC))
    assert tell(there) == "email provider ses is at its daily limit until 2026-11-22 00:00 UTC"
    soon = replace(there, wait=timedelta(hours=3))
    assert tell(soon) == "email provider ses is at its daily limit until 00:00:00 UTC"
