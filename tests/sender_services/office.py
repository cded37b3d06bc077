"""A tenant's sender services, a task that uses them, and workers that each know only the rows."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from postroom.channels.base import Answer, Bulk, Parcel
from postroom.channels.email.channel import EmailChannel
from postroom.channels.email.providers import Provider
from postroom.channels.email.route import EmailOptions
from postroom.database.engine import Database, Role, open_database
from postroom.egress.client import EgressClient, Patience
from postroom.identity import SENDER_SERVICE, new_id, public_id
from postroom.limits.allowance import Allowance
from postroom.limits.limiter import Limiter
from postroom.sender_services.book import ServiceBook
from postroom.sender_services.channel import ServiceDesk, ServiceMailChannel
from postroom.sender_services.destination import Destination
from postroom.sender_services.health import Health
from postroom.sender_services.models import ServiceKind
from postroom.sender_services.service import SenderServices
from postroom.sender_services.terms import Terms
from postroom.sender_services.watching import Watch
from postroom.tenants.directory import Directory
from postroom.tenants.gate import Identity
from postroom.tenants.secrets import Seal
from postroom.timing import Timing
from tests.channels.email.conftest import DOMAIN, Marker
from tests.fixtures.database import Tenant
from tests.fixtures.house import PEPPER
from tests.fixtures.rows import change, rows

# What is frozen stays so until a test says that its time has come: no machine is too slow for that.
CALM = replace(
    Timing(),
    outage_first=timedelta(seconds=0.02),
    outage_last=timedelta(seconds=0.02),
    service_pause=timedelta(minutes=10),
    service_pause_last=timedelta(minutes=30),
)
SOON = replace(CALM, service_pause=timedelta(seconds=0.5), service_pause_last=timedelta(seconds=1.5))
HASTY = replace(CALM, command_patience=timedelta(seconds=0.5), hand_off_patience=timedelta(seconds=0.5))
PROBE_DUE = "UPDATE sender_services SET probe_at = now() WHERE tenant_id = %s AND probe_at IS NOT NULL"
CAMPAIGN = "INSERT INTO campaigns (id, tenant_id, name, api_key_id) VALUES (%s, %s, 'x', %s)"
TASK = """
INSERT INTO campaign_tasks (id, tenant_id, campaign_id, name, channel, rule, content, time_to_live, state, created_by)
VALUES (%s, %s, %s, 'x', 'email', '{}', '{}', interval '1 day', 'sending', %s)
"""


@dataclass(frozen=True)
class Worker:
    """One process: pools, a limiter and a book of its own."""

    channel: ServiceMailChannel
    desk: ServiceDesk

    async def send(self, parcel: Parcel, mark: Marker | None = None) -> Answer:
        """Hand one message off, and let be written what it taught."""
        answer = await self.channel.hand_off(parcel, mark or Marker())
        await self.desk.watch.close()
        return answer


class Office:
    """One tenant with a key and a task of this key."""

    def __init__(self, database: Database, database_url: str, tenant: Tenant) -> None:
        self.database, self.database_url, self.tenant = database, database_url, tenant
        self.seal = Seal({"test": os.urandom(32)})
        self.services = SenderServices(database, self.seal, public_only=False)
        self.task_id, self.campaign_id, self.number = new_id(), new_id(), 0
        self.key_id = new_id()

    async def settle_in(self) -> None:
        """Make the key and the task."""
        self.key_id = await self.new_key()
        await change(self.database, CAMPAIGN, self.campaign_id, self.tenant.id, self.key_id)
        await change(self.database, TASK, self.task_id, self.tenant.id, self.campaign_id, self.key_id)

    async def new_key(self) -> UUID:
        """Make one more key of the tenant."""
        _, row = await Directory(self.database, PEPPER).add_key(self.tenant.slug, "test")
        return UUID(str(row["id"]))

    async def service(self, url: str, **wishes: Any) -> UUID:
        """Add a service."""
        return (await self.services.add(self._identity, self._terms(url, wishes), None)).service.id

    async def change(self, service_id: UUID, url: str, **wishes: Any) -> None:
        """Give a service other terms."""
        await self.services.replace(self.tenant.id, service_id, self._terms(url, wishes))

    @property
    def _identity(self) -> Identity:
        return Identity(self.tenant.id, self.tenant.slug, self.key_id, frozenset())

    def _terms(self, url: str, wishes: dict[str, Any]) -> Terms:
        self.number += 1
        plain = Terms(
            name=f"service {self.number}",
            destination=Destination(ServiceKind.SMTP, url),
            password=None,
            from_domains=(),
            weight=10,
            connections=None,
            limits=Allowance(),
            warm_up=None,
            error_threshold=3,
            alert_user_ids=(),
            alert_addresses=(),
        )
        return replace(plain, **wishes)

    async def adjust(self, statement: str, *values: object) -> None:
        """Carry out one statement as the tenant."""
        async with self.database.tenant_transaction(self.tenant.id) as connection:
            await connection.execute(statement, values)

    async def probe_due(self, *workers: Worker) -> None:
        """Let the pause of what is frozen be over, and everybody know."""
        await self.adjust(PROBE_DUE, self.tenant.id)
        for worker in workers:
            worker.desk.book.forget(self.tenant.id)

    async def row(self, service_id: UUID) -> dict[str, Any]:
        """A service's row."""
        return (await rows(self.database, "SELECT * FROM sender_services WHERE id = %s", service_id))[0]

    async def task(self) -> dict[str, Any]:
        """The task's row."""
        return (await rows(self.database, "SELECT * FROM campaign_tasks WHERE id = %s", self.task_id))[0]

    def parcel(self, services: Sequence[UUID] = (), **changes: Any) -> Parcel:
        """A message to one recipient of the task."""
        self.number += 1
        plain = Parcel(
            delivery_id=UUID(int=self.number),
            notification_id=None,
            tenant_id=self.tenant.id,
            address="ok@example.org",
            sender="News <news@news.example.com>",
            resolved_at=datetime(2026, 11, 20, 11, 0, tzinfo=UTC),
            title="News",
            body_text="There is some.\n",
            bulk=Bulk(self.task_id, self.campaign_id, self.number, tuple(services)),
        )
        return replace(plain, **changes)

    @asynccontextmanager
    async def worker(self, *ordinary: Provider, timing: Timing = CALM) -> AsyncIterator[Worker]:
        """Start a process; `ordinary` are the tenant's providers beside its services."""
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(
                open_database(self.database_url, {Role.APP: 3, Role.LEDGER: 1, Role.SYSTEM: 1})
            )
            limiter = Limiter(database, timing)
            stack.push_async_callback(limiter.close)

            async def providers_of(_: UUID) -> Sequence[Provider]:
                return ordinary

            client = EgressClient(
                Patience(timing.connect_patience, timing.vendor_answer, timing.webhook_words), public_only=False
            )
            stack.push_async_callback(client.close)
            book = ServiceBook(database, self.seal, public_only=False)
            watch = Watch(Health(database, timing), book)
            stack.push_async_callback(watch.close)
            desk = ServiceDesk(database, book, watch, client, timing)
            mail = EmailChannel(providers_of, timing, EmailOptions(DOMAIN, 4), limiter)
            channel = ServiceMailChannel(mail, desk)
            stack.push_async_callback(channel.close)
            yield Worker(channel, desk)


def called(service_id: UUID) -> str:
    """What the ledger calls a service."""
    return public_id(SENDER_SERVICE, service_id)
