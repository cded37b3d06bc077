"""Types are read once for all that comes within seconds; what is declared here counts at once, elsewhere soon."""

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace
from uuid import UUID

import pytest

from postroom.contracts.vocabulary import ChannelKind, MessageClass
from postroom.database.engine import Connection, Database
from postroom.errors import Invalid
from postroom.notifications.request import Request
from postroom.subscriptions.classes import MEMORY_SECONDS, Classes
from postroom.subscriptions.declaring import Kinds
from postroom.subscriptions.kind_repository import classes_of
from postroom.subscriptions.kinds import NewKind
from postroom.timing import Timing
from tests.fixtures.database import Tenants

NEWS = NewKind("news", "offers", MessageClass.MARKETING)
ASKED = Request(channels=(ChannelKind.EMAIL,), title="Hi", notification_type="news")


class Counted:
    """Counts how often the types of a tenant are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0

        async def counted(*arguments: object) -> object:
            self.count += 1
            return await classes_of(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr("postroom.subscriptions.classes.classes_of", counted)


async def test_one_statement_serves_all_that_come_within_seconds(
    database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, classes = Counted(monkeypatch), Classes(database, Timing())
    for _ in range(10):
        assert await classes.classed(tenants.alice.id, ASKED) is ASKED
        assert (await classes.classed(tenants.decoy.id, ASKED)).message_class is MessageClass.TRANSACTIONAL
    assert read.count == 2


async def test_one_statement_serves_all_who_ask_meanwhile(
    database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, classes = Counted(monkeypatch), Classes(database, Timing())
    await asyncio.gather(*(classes.classed(tenants.alice.id, ASKED) for _ in range(50)))
    assert read.count == 1


async def test_what_was_read_before_a_declaration_is_not_remembered(
    database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes, going, seen = Classes(database, Timing()), asyncio.Event(), asyncio.Event()

    async def slow(connection: Connection, tenant_id: UUID) -> object:
        known = await classes_of(connection, tenant_id)
        seen.set()
        await going.wait()
        return known

    with monkeypatch.context() as patched:
        patched.setattr("postroom.subscriptions.classes.classes_of", slow)
        early = asyncio.create_task(classes.classed(tenants.alice.id, ASKED))
        await seen.wait()
    await Kinds(database, classes).put(tenants.alice.id, NEWS)
    going.set()
    assert (await early).message_class is MessageClass.TRANSACTIONAL
    assert (await classes.classed(tenants.alice.id, ASKED)).message_class is MessageClass.MARKETING


async def test_what_names_no_type_asks_nothing(
    database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Counted(monkeypatch)
    await Classes(database, Timing()).classed(tenants.alice.id, Request(channels=(ChannelKind.EMAIL,), title="Hi"))
    assert read.count == 0


async def test_what_is_declared_here_counts_at_once(database: Database, tenants: Tenants) -> None:
    classes = Classes(database, Timing())
    await classes.classed(tenants.alice.id, ASKED)
    await Kinds(database, classes).put(tenants.alice.id, NEWS)
    assert (await classes.classed(tenants.alice.id, ASKED)).message_class is MessageClass.MARKETING
    assert (await classes.classed(tenants.decoy.id, ASKED)).message_class is MessageClass.TRANSACTIONAL
    with pytest.raises(Invalid) as refused:
        await classes.classed(tenants.alice.id, replace(ASKED, names_class=True))
    assert refused.value.code == "class_conflicts_with_type"
    await Kinds(database, classes).remove(tenants.alice.id, "news")
    assert (await classes.classed(tenants.alice.id, ASKED)).message_class is MessageClass.TRANSACTIONAL


async def test_what_another_process_declared_counts_when_the_memory_is_over(
    database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = Classes(database, Timing()), Classes(database, Timing())
    await here.classed(tenants.alice.id, ASKED)
    await Kinds(database, elsewhere).put(tenants.alice.id, NEWS)
    assert await here.classed(tenants.alice.id, ASKED) is ASKED
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + MEMORY_SECONDS)
    monkeypatch.setattr("postroom.subscriptions.classes.time", later)
    assert (await here.classed(tenants.alice.id, ASKED)).message_class is MessageClass.MARKETING
