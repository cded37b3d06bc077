"""What the relay hands over, in which order, and what it does when the engine is away."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from postroom.carriers.poking import Poke
from postroom.database.engine import Database
from postroom.relay.relay import Capacity, EngineAway, Relay
from postroom.timing import Timing
from tests.fixtures.database import make_tenants
from tests.fixtures.rows import Draft, accepted, rows

TIMING = Timing()
CAPACITY = Capacity(page=10, alone=3, window=50)


class Engine:
    """Notes what is started; may be away."""

    def __init__(self) -> None:
        self.started: list[Poke] = []
        self.away = False

    async def start(self, poke: Poke) -> None:
        if self.away:
            raise EngineAway
        self.started.append(poke)


@pytest.fixture
def engine() -> Engine:
    return Engine()


async def drain(relay: Relay) -> None:
    while await relay.gather():
        pass
    while await relay.poke():
        pass


async def test_few_travel_alone_and_many_by_the_page(fresh_database: Database, engine: Engine) -> None:
    tenants = await make_tenants(fresh_database)
    for _ in range(3):
        await accepted(fresh_database, Draft(tenants.alice.id))
    for _ in range(25):
        await accepted(fresh_database, Draft(tenants.decoy.id))
    await drain(Relay(fresh_database, engine.start, TIMING, CAPACITY))
    kinds = Counter((poke.slug == tenants.alice.slug, poke.kind, poke.size) for poke in engine.started)
    assert kinds == {(True, "alone", 1): 3, (False, "page", 10): 2, (False, "page", 5): 1}


async def test_the_most_urgent_are_poked_first(fresh_database: Database, engine: Engine) -> None:
    tenants = await make_tenants(fresh_database)
    for priority in (4, 2, 1, 3):
        await accepted(fresh_database, Draft(tenants.alice.id, priority=priority))
    relay = Relay(fresh_database, engine.start, TIMING, CAPACITY)
    await relay.gather()
    await relay.poke()
    assert [poke.priority for poke in engine.started] == [1, 2, 3, 4]


async def test_tenants_take_turns_inside_a_priority(fresh_database: Database, engine: Engine) -> None:
    tenants = await make_tenants(fresh_database)
    for _ in range(40):
        await accepted(fresh_database, Draft(tenants.decoy.id))
    for _ in range(2):
        await accepted(fresh_database, Draft(tenants.alice.id))
    relay = Relay(fresh_database, engine.start, TIMING, CAPACITY)
    await relay.gather()
    await relay.poke()
    placed = Counter(poke.slug for poke in engine.started for _ in range(poke.size))
    assert placed == {tenants.alice.slug: 2, tenants.decoy.slug: 10}


async def test_past_the_window_rows_wait_where_pages_form(fresh_database: Database, engine: Engine) -> None:
    tenants = await make_tenants(fresh_database)
    relay = Relay(fresh_database, engine.start, TIMING, Capacity(page=10, alone=3, window=2))
    for _ in range(3):
        await accepted(fresh_database, Draft(tenants.alice.id))
    assert await relay.gather()
    for _ in range(7):
        await accepted(fresh_database, Draft(tenants.alice.id))
    assert not await relay.gather()
    waiting = await rows(fresh_database, "SELECT id FROM notifications WHERE carrier_id IS NULL")
    assert len(waiting) == 7


async def test_a_full_window_holds_back_the_backlog_and_nobody_else(fresh_database: Database, engine: Engine) -> None:
    tenants = await make_tenants(fresh_database)
    relay = Relay(fresh_database, engine.start, TIMING, Capacity(page=10, alone=3, window=2))
    for _ in range(40):
        await accepted(fresh_database, Draft(tenants.decoy.id, priority=4))
    while await relay.gather():
        pass
    await accepted(fresh_database, Draft(tenants.alice.id, priority=4))
    await accepted(fresh_database, Draft(tenants.decoy.id, priority=1))
    await relay.gather()
    statement = "SELECT n.tenant_id, n.priority FROM notifications n WHERE carrier_id IS NULL"
    waiting = {(row["tenant_id"], row["priority"]) for row in await rows(fresh_database, statement)}
    assert waiting == {(tenants.decoy.id, 4)}


async def test_a_carrier_whose_provider_hangs_leaves_the_window(fresh_database: Database, engine: Engine) -> None:
    tenants = await make_tenants(fresh_database)
    timing = Timing(recent_hand_over=timedelta(0))
    relay = Relay(fresh_database, engine.start, timing, Capacity(page=10, alone=3, window=1))
    await accepted(fresh_database, Draft(tenants.decoy.id))
    await relay.gather()
    await accepted(fresh_database, Draft(tenants.alice.id))
    assert await relay.gather()


async def test_an_engine_that_is_away_forgets_nothing(fresh_database: Database, engine: Engine) -> None:
    tenants = await make_tenants(fresh_database)
    timing = Timing(poke_backoff=timedelta(milliseconds=50), poke_backoff_last=timedelta(milliseconds=50))
    relay = Relay(fresh_database, engine.start, timing, CAPACITY)
    engine.away = True
    await accepted(fresh_database, Draft(tenants.alice.id))
    await relay.gather()
    with pytest.raises(EngineAway):
        await relay.poke()
    assert engine.started == []
    engine.away = False
    await asyncio.sleep(0.06)
    assert await relay.poke() == 1
    assert [poke.slug for poke in engine.started] == [tenants.alice.slug]


async def test_while_the_engine_is_away_rows_gather_into_pages(fresh_database: Database, engine: Engine) -> None:
    tenants = await make_tenants(fresh_database)
    timing = Timing(
        relay_poll=timedelta(milliseconds=20),
        poke_backoff=timedelta(milliseconds=200),
        poke_backoff_last=timedelta(milliseconds=200),
    )
    relay = Relay(fresh_database, engine.start, timing, CAPACITY)
    engine.away = True
    stopping = asyncio.Event()
    running = asyncio.create_task(relay.run(asyncio.Event(), stopping))
    for _ in range(9):
        await accepted(fresh_database, Draft(tenants.alice.id))
        await asyncio.sleep(0.05)
    engine.away = False
    async with asyncio.timeout(10):
        while sum(poke.size for poke in engine.started) < 9:  # noqa: ASYNC110 - the fake has no event
            await asyncio.sleep(0.02)
    stopping.set()
    await running
    assert max(poke.size for poke in engine.started) >= 4


async def test_two_relays_never_give_a_row_two_carriers(fresh_database: Database, engine: Engine) -> None:
    tenants = await make_tenants(fresh_database)
    for _ in range(60):
        await accepted(fresh_database, Draft(tenants.alice.id))
    relays = [Relay(fresh_database, engine.start, TIMING, CAPACITY) for _ in range(2)]
    await asyncio.gather(*(drain(relay) for relay in relays))
    assert sum(poke.size for poke in engine.started) == 60
    assert len({poke.id for poke in engine.started}) == len(engine.started)
