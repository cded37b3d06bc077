"""Drafts that come together are written together; a bad one among them harms nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from postroom.channels.base import Enclosure
from postroom.contracts.vocabulary import ChannelKind, Priority
from postroom.database.engine import Connection, Database, Role
from postroom.errors import Invalid, Unavailable
from postroom.identity import new_id
from postroom.notifications import accepting as module
from postroom.notifications.accepting import Accepting
from postroom.notifications.backlog import Backlog
from postroom.notifications.bell import Bell
from postroom.notifications.request import Draft, IdempotencyKey, Request
from postroom.notifications.schedule import Schedule
from tests.fixtures.database import Tenant, Tenants


class Counting(Database):
    """The same database, counting transactions and holding them back when told to."""

    def __init__(self, database: Database) -> None:
        self.__dict__.update(database.__dict__)
        self.transactions = 0
        self.free = asyncio.Event()
        self.free.set()

    @asynccontextmanager
    async def transaction(self, role: Role) -> AsyncIterator[Connection]:
        self.transactions += role is Role.ACCEPT
        await self.free.wait()
        async with super().transaction(role) as connection:
            yield connection


@pytest.fixture
def counting(database: Database) -> Counting:
    return Counting(database)


@pytest.fixture
def accepting(counting: Counting) -> Accepting:
    return Accepting(counting, Bell(counting), Backlog(counting, 10))


def draft(tenant: Tenant, key: str | None = None, **changes: Any) -> Draft:
    asked = Request((ChannelKind.EMAIL,), "Hello", body_text="Good day.", metadata={"email": "ada@shop.de"})
    return Draft(
        id=new_id(),
        tenant_id=tenant.id,
        api_key_id=new_id(),
        request=replace(asked, **changes),
        metadata_json='{"email": "ada@shop.de"}',
        life=timedelta(hours=1),
        fallback_after=timedelta(minutes=1),
        key=IdempotencyKey(key, key.encode()) if key else None,
    )


async def stored(database: Database, tenant: Tenant) -> set[UUID]:
    async with database.tenant_transaction(tenant.id) as connection:
        rows = await (await connection.execute("SELECT id FROM notifications")).fetchall()
    return {row["id"] for row in rows}


async def test_many_at_once_are_few_transactions(
    accepting: Accepting, counting: Counting, database: Database, tenants: Tenants
) -> None:
    drafts = [draft(tenant) for tenant in (tenants.alice, tenants.decoy) for _ in range(150)]
    answers = await asyncio.gather(*map(accepting.accept, drafts))
    assert [answer.id for answer in answers] == [one.id for one in drafts]
    assert await stored(database, tenants.alice) == {one.id for one in drafts[:150]}
    assert await stored(database, tenants.decoy) == {one.id for one in drafts[150:]}
    assert counting.transactions <= 8


async def test_a_bad_row_fails_alone(accepting: Accepting, database: Database, tenants: Tenants) -> None:
    nobody = Tenant(new_id(), "nobody")
    good = [draft(tenants.alice, key) for key in ("a", None, "b", None)]
    bad = [replace(draft(tenants.alice), metadata_json="{"), draft(nobody), draft(tenants.alice, "c", title="\0")]
    mixed = [good[0], bad[0], good[1], bad[1], good[2], bad[2], good[3]]
    answers = await asyncio.gather(*map(accepting.accept, mixed), return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == [
        "Accepted",
        "Invalid",
        "Accepted",
        "Unauthenticated",
        "Accepted",
        "Invalid",
        "Accepted",
    ]
    assert await stored(database, tenants.alice) == {one.id for one in good}
    again = await accepting.accept(draft(tenants.alice, "c"))  # the key of the bad one is still free
    assert not again.replayed


async def test_the_first_under_a_key_wins_within_a_group_and_after_it(
    accepting: Accepting, database: Database, tenants: Tenants
) -> None:
    same = [draft(tenants.alice, "k") for _ in range(20)]
    answers = await asyncio.gather(*map(accepting.accept, same))
    assert len({answer.id for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    late = await accepting.accept(draft(tenants.alice, "k"))
    assert (late.id, late.replayed, late.accepted_at) == (answers[0].id, True, answers[0].accepted_at)
    other = replace(draft(tenants.alice, "k"), key=IdempotencyKey("k", b"another body"))
    with pytest.raises(Invalid) as refusal:
        await accepting.accept(other)
    assert refusal.value.code == "idempotency_key_reused"
    assert await stored(database, tenants.alice) == {answers[0].id}


async def test_groups_that_take_the_same_keys_and_files_the_other_way_round(
    database: Database, tenants: Tenants
) -> None:
    files = [Enclosure(f"{n}", "application/octet-stream", bytes([n]) * 100) for n in range(10)]
    writers = [Accepting(database, Bell(database), Backlog(database, 10)) for _ in range(2)]
    for turn in range(5):
        names = [f"{turn}-{n}" for n in range(30)]
        orders = [(names, files), (names[::-1], files[::-1])]
        answers = await asyncio.gather(
            *(
                writer.accept(draft(tenants.alice, name, attachments=tuple(order_files)))
                for writer, (order, order_files) in zip(writers, orders, strict=True)
                for name in order
            )
        )
        assert sum(not answer.replayed for answer in answers) == 30


async def test_who_gave_up_is_not_written_later(  # noqa: PLR0913 - one fixture each
    accepting: Accepting, counting: Counting, database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    counting.free.clear()
    drafts = [draft(tenants.alice) for _ in range(30)]
    refusals = await asyncio.gather(*map(accepting.accept, drafts), return_exceptions=True)
    assert {type(refusal) for refusal in refusals} == {Unavailable}
    counting.free.set()
    last = await accepting.accept(draft(tenants.alice))
    written = await stored(database, tenants.alice)
    assert written == {last.id}


async def test_times_are_the_databases(accepting: Accepting, database: Database, tenants: Tenants) -> None:
    delayed = draft(tenants.alice, schedule=Schedule(delay=timedelta(minutes=5)), priority=Priority.LOW)
    answer = await accepting.accept(delayed)
    async with database.tenant_transaction(tenants.alice.id) as connection:
        row = await (await connection.execute("SELECT * FROM notifications")).fetchone()
    assert row is not None
    assert row["created_at"] == answer.accepted_at
    assert row["due_at"] == row["scheduled_at"] == answer.due_at == answer.accepted_at + timedelta(minutes=5)
    assert row["expires_at"] == row["due_at"] + timedelta(hours=1)
    assert (row["state"], row["carrier_id"], row["priority"]) == ("open", None, 4)


async def test_the_relay_is_woken_for_what_is_due(
    accepting: Accepting, counting: Counting, database_url: str, tenants: Tenants
) -> None:
    bell = accepting._bell  # noqa: SLF001 - the one the accepting part rings
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener, bell.attended():
        await listener.execute("LISTEN postroom_relay")
        await accepting.accept(draft(tenants.alice, schedule=Schedule(delay=timedelta(hours=1))))
        assert [ring async for ring in listener.notifies(timeout=0.2)] == []
        await asyncio.gather(*(accepting.accept(draft(tenants.alice)) for _ in range(100)))
        rings = [ring async for ring in listener.notifies(timeout=0.5)]
    assert 1 <= len(rings) <= 25  # one per 20 ms at most
