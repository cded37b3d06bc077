"""A batch that is not written leaves nothing behind: no row, no key, nobody's rate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from postroom.contracts.vocabulary import ChannelKind, NotificationState
from postroom.database.engine import Connection, Database
from postroom.errors import Invalid, PostroomError, Unauthenticated, Unavailable
from postroom.identity import new_id
from postroom.jobs.batch import Batch, Recipient
from postroom.jobs.reception import BatchReception
from postroom.notifications import accepting as module
from postroom.notifications.backlog import Backlog
from postroom.notifications.bell import Bell
from postroom.notifications.request import IdempotencyKey, Request
from postroom.notifications.schedule import Schedule
from postroom.rates import Rate
from postroom.subscriptions.classes import Classes
from postroom.timing import Timing
from tests.fixtures.database import Tenant, Tenants
from tests.fixtures.rows import rows

LIMIT = 1  # a minute: one that was counted for nothing is noticed at once
KEY = IdempotencyKey("k", b"hash")


class Held(Database):
    """The same database, holding transactions back before their commit when told to."""

    def __init__(self, database: Database) -> None:
        self.__dict__.update(database.__dict__)
        self.free = asyncio.Event()
        self.free.set()

    @asynccontextmanager
    async def tenant_transaction(self, tenant_id: UUID) -> AsyncIterator[Connection]:
        async with super().tenant_transaction(tenant_id) as connection:
            yield connection
            await self.free.wait()


@pytest.fixture
def held(database: Database) -> Held:
    return Held(database)


@pytest.fixture
def reception(held: Held) -> BatchReception:
    return BatchReception(held, Bell(held), Backlog(held, 1_000_000), Rate(LIMIT), Classes(held, Timing()))


def batch(tenant: Tenant, **changes: Any) -> Batch:
    return Batch(
        id=new_id(),
        tenant_id=tenant.id,
        api_key_id=new_id(),
        request=replace(Request((ChannelKind.IN_APP,), "Hello", body_text="Good day."), **changes),
        recipients=[Recipient("ada"), Recipient("bob")],
        place="/user_ids",
        life=timedelta(hours=1),
        fallback_after=timedelta(minutes=1),
    )


async def is_received_whole(reception: BatchReception, tenant: Tenant) -> None:
    received = await reception.receive(batch(tenant), KEY)
    assert received.beginning is not None
    assert received.beginning.counts[NotificationState.OPEN] == 2


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"title": "\0"}, Invalid), ({"schedule": Schedule(delay=timedelta(days=-5))}, Invalid)],
)
async def test_what_cannot_be_stored_counts_for_nothing(
    reception: BatchReception, tenants: Tenants, changes: dict[str, Any], error: type[PostroomError]
) -> None:
    with pytest.raises(error):
        await reception.receive(batch(tenants.alice, **changes), KEY)
    await is_received_whole(reception, tenants.alice)


async def test_a_tenant_that_is_gone(reception: BatchReception) -> None:
    with pytest.raises(Unauthenticated):
        await reception.receive(batch(Tenant(new_id(), "nobody")), KEY)


async def test_who_gave_up_is_not_written_later(
    reception: BatchReception, held: Held, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)
    held.free.clear()
    with pytest.raises(Unavailable, match="did not confirm"):
        await reception.receive(batch(tenants.alice), KEY)
    held.free.set()
    await asyncio.sleep(0.1)
    assert await rows(held, "SELECT id FROM notifications WHERE tenant_id = %s", tenants.alice.id) == []
    await is_received_whole(reception, tenants.alice)


async def test_the_relay_is_woken_for_what_is_due(
    reception: BatchReception, database_url: str, tenants: Tenants
) -> None:
    bell = reception._bell  # noqa: SLF001 - the one it rings
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener, bell.attended():
        await listener.execute("LISTEN postroom_relay")
        await reception.receive(batch(tenants.decoy, schedule=Schedule(delay=timedelta(hours=1))), KEY)
        assert [ring async for ring in listener.notifies(timeout=0.2)] == []
        await is_received_whole(reception, tenants.alice)
        assert len([ring async for ring in listener.notifies(timeout=0.5)]) == 1
