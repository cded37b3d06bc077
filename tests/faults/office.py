"""A whole sending side in this process: relay, sweeper and workers on a real engine, and mail to the fault sink."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.client import Client

from postroom.channels.base import Answer, Evidence, Mark, Parcel, Suspect
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.presets import Security
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.identity import message_id
from postroom.loops import end
from postroom.notifications.control import Control
from postroom.relay.sweeper import sweep_rounds
from postroom.rendering.renderer import Renderer
from postroom.timing import Timing
from tests.fixtures.database import Tenant, make_tenants
from tests.fixtures.engine import free_port, working
from tests.fixtures.house import MAIL_DOMAIN, outfit
from tests.fixtures.rows import Draft, accepted, deliveries, notification, rows
from tests.fixtures.sink import Accepted, Offers, Sink
from tests.fixtures.waiting import until

HOST = "127.0.0.1"
PATIENCE = 90.0

# Real plans in seconds. The first retry wait is the longest: tests reach into it.
FAST = replace(
    Timing(),
    retry_first=timedelta(seconds=2),
    retry_second=timedelta(seconds=0.4),
    retry_third=timedelta(seconds=0.6),
    outage_first=timedelta(seconds=0.2),
    outage_last=timedelta(seconds=0.6),
    command_patience=timedelta(seconds=2),
    hand_off_patience=timedelta(seconds=2),
    mark_to_body=timedelta(seconds=10),
    absence_window=timedelta(seconds=0.6),
    evidence_pause=timedelta(seconds=0.2),
    hold=timedelta(seconds=1.5),
    poke_backoff=timedelta(seconds=0.5),
    poke_backoff_last=timedelta(seconds=1),
    relay_poll=timedelta(seconds=0.1),
    sweep_every=timedelta(seconds=0.3),
)


@dataclass(slots=True)
class Mail:
    """The e-mail channel, to a provider of each tenant's own: an outage of one says nothing about another's.

    The relay of a tenant in `silent` cannot be asked what it accepted; that of one in `refusing` does not listen; that
    of one in `plain` does not know pipelining, and keeps a journal of its own.
    """

    inner: EmailChannel
    stepwise: EmailChannel
    silent: set[UUID] = field(default_factory=set)
    plain: set[UUID] = field(default_factory=set)
    kind: ChannelKind = ChannelKind.EMAIL

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:
        return await (self.stepwise if parcel.tenant_id in self.plain else self.inner).hand_off(parcel, mark)

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:
        asked = [one for one in suspects if one.tenant_id not in self.silent]
        said = await self.inner.evidence([one for one in asked if one.tenant_id not in self.plain])
        return {**said, **await self.stepwise.evidence([one for one in asked if one.tenant_id in self.plain])}

    async def close(self) -> None:
        await self.inner.close()
        await self.stepwise.close()


class Office:
    """What a test does with it: send, act, wait, and look at what the sink and the ledger say."""

    def __init__(self, database: Database, sink: Sink, plain_sink: Sink) -> None:
        self.database = database
        self.sink = sink
        self.plain_sink = plain_sink
        self.control = Control(database, FAST)
        self.refusing: set[UUID] = set()
        pipelined, stepwise = (
            EmailChannel(self._providers_of, FAST, EmailOptions(MAIL_DOMAIN, 4, one.evidence_url))
            for one in (sink, plain_sink)
        )
        self.mail = Mail(pipelined, stepwise)
        self._closed_port = free_port()

    async def tenant(self, *, silent: bool = False, refusing: bool = False, plain: bool = False) -> Tenant:
        """Open an account; see `Mail`."""
        tenant = (await make_tenants(self.database)).alice
        if silent:
            self.mail.silent.add(tenant.id)
        if refusing:
            self.refusing.add(tenant.id)
        if plain:
            self.mail.plain.add(tenant.id)
        return tenant

    async def send(self, tenant: Tenant, to: str, **more: Any) -> UUID:
        """Have one e-mail accepted to an address of the sink."""
        draft = Draft(tenant.id, channels=(ChannelKind.EMAIL,), metadata={"email": address_of(tenant, to)})
        return await accepted(self.database, replace(draft, **more))

    async def ended(self, one: UUID) -> dict[str, Any]:
        """Wait for the end of a notification and return its row."""

        async def over() -> bool:
            return bool((await notification(self.database, one))["state"] != "open")

        await until(over, PATIENCE)
        return await notification(self.database, one)

    async def delivery(self, one: UUID) -> dict[str, Any]:
        """Its first delivery."""
        return (await deliveries(self.database, one))[0]

    async def delivery_is(self, one: UUID, *states: str) -> dict[str, Any]:
        """Wait until its first delivery is in one of these states and return it."""

        async def so() -> bool:
            found = await deliveries(self.database, one)
            return bool(found and found[0]["state"] in states)

        await until(so, PATIENCE)
        return await self.delivery(one)

    async def attempts(self, one: UUID) -> list[dict[str, Any]]:
        """What its attempts did, in order."""
        statement = (
            "SELECT a.* FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id "
            "WHERE d.notification_id = %s ORDER BY a.id"
        )
        return await rows(self.database, statement, one)

    async def copies(self, one: UUID) -> list[Accepted]:
        """Every copy of it that the sink took."""
        names = {message_id(row["id"], MAIL_DOMAIN) for row in await deliveries(self.database, one)}
        taken = [*self.sink.accepted, *self.plain_sink.accepted]
        return [copy for copy in taken if copy.message_id in names]

    async def _providers_of(self, tenant_id: UUID) -> Sequence[Provider]:
        sink = self.plain_sink if tenant_id in self.mail.plain else self.sink
        port = self._closed_port if tenant_id in self.refusing else sink.port
        return [Provider(f"relay-{tenant_id.hex}", HOST, port, Security.NONE)]


def address_of(tenant: Tenant, to: str) -> str:
    """The address of a sink's behaviour, told apart by tenant."""
    return f"{to}+{tenant.slug}@example.org"


@asynccontextmanager
async def open_office(engine: Client, database: Database, renderer: Renderer | None = None) -> AsyncIterator[Office]:
    """Run everything until left; a renderer is for templates only."""
    async with Sink.open() as sink, Sink.open(Offers(pipelining=False)) as plain_sink:
        office = Office(database, sink, plain_sink)
        async with working(engine, outfit(database, FAST, {ChannelKind.EMAIL: office.mail}, renderer)) as house:
            stopping = asyncio.Event()
            relay = asyncio.create_task(house.relay.run(asyncio.Event(), stopping))
            sweeper = asyncio.create_task(sweep_rounds(database, FAST))
            try:
                yield office
            finally:
                stopping.set()
                await relay
                await end(sweeper)
        await office.mail.close()
