"""A sending side for loads in this process: relay, sweeper and real workers, and a sink that takes what they send."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from temporalio.client import Client

from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.presets import Security
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Role, open_database
from postroom.loops import end
from postroom.relay.relay import Capacity, Relay
from postroom.relay.sweeper import sweep_rounds
from postroom.rendering.renderer import Renderer
from postroom.timing import Timing
from tests.chaos.loads import Load, accept
from tests.fixtures.database import Tenants, make_tenants
from tests.fixtures.engine import working
from tests.fixtures.house import MAIL_DOMAIN, outfit
from tests.fixtures.sink import Offers, Sink
from workflows.starters import carrier_starter

POOL_SIZES = {Role.APP: 24, Role.SYSTEM: 6, Role.LEDGER: 4, Role.ACCEPT: 1}
CONNECTIONS = 16
PAGE = 500

# Real plans in seconds; leases, heartbeats and patience as in life.
BRISK = replace(
    Timing(),
    retry_first=timedelta(seconds=1),
    retry_second=timedelta(seconds=1),
    retry_third=timedelta(seconds=1),
    outage_first=timedelta(seconds=0.05),
    outage_last=timedelta(seconds=0.6),
    absence_window=timedelta(seconds=1),
    evidence_pause=timedelta(seconds=0.2),
    relay_poll=timedelta(seconds=0.1),
    task_poll=timedelta(seconds=0.1),
    sweep_every=timedelta(seconds=0.5),
)


class Depot:
    """What a test does with it: load, wait, and look at what the sink and the ledger say."""

    def __init__(self, database_url: str, client: Client, sink: Sink, tenants: Tenants) -> None:
        self.database_url = database_url
        self.client = client
        self.sink = sink
        self.tenant, self.neighbour = tenants.alice, tenants.decoy
        self.bell = asyncio.Event()

    async def load(self, load: Load) -> list[UUID]:
        """Have a load accepted, and the relay told as the API does."""
        ids = await accept(self.database_url, load)
        self.bell.set()
        return ids

    async def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Ask the database, as its owner."""
        async with await AsyncConnection.connect(
            self.database_url, autocommit=True, row_factory=dict_row
        ) as connection:
            return await (await connection.execute(statement.encode(), values)).fetchall()


@asynccontextmanager
async def open_depot(
    engine: Client, database_url: str, timing: Timing = BRISK, offers: Offers | None = None
) -> AsyncIterator[Depot]:
    """Run everything until left."""
    async with (
        Sink.open(offers) as sink,
        open_database(database_url, POOL_SIZES) as database,
        Renderer(1).open(warm=False) as renderer,
    ):

        async def providers_of(_tenant_id: UUID) -> Sequence[Provider]:
            return [Provider("sink", sink.host, sink.port, Security.NONE)]

        options = EmailOptions(MAIL_DOMAIN, CONNECTIONS, sink.evidence_url)
        mail = EmailChannel(providers_of, timing, options)
        depot = Depot(database_url, engine, sink, await make_tenants(database))
        async with working(engine, outfit(database, timing, {ChannelKind.EMAIL: mail}, renderer)) as house:
            stopping = asyncio.Event()
            rounds = Relay(database, carrier_starter(engine, timing), timing, Capacity(page=PAGE, alone=20, window=50))
            relay = asyncio.create_task(rounds.run(depot.bell, stopping))
            tasks = asyncio.create_task(house.tasks.run(stopping))
            sweeper = asyncio.create_task(sweep_rounds(database, timing))
            try:
                yield depot
            finally:
                stopping.set()
                await asyncio.gather(relay, tasks)
                await end(sweeper)
        await mail.close()
