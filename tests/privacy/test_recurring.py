"""A person is erased while schedules and sequences write to them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from postroom.contracts.recurring import Firing
from postroom.database.engine import Database
from postroom.notifications.request import IdempotencyKey
from postroom.schedules.opening import open_run
from postroom.schedules.paging import Pager
from postroom.schedules.terms import Audience
from postroom.sequences.enrolling import Enrolments, Newcomer
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change, rows
from tests.fixtures.schedules import contacts, scheduled, terms, told
from tests.fixtures.sequences import advanced, identity
from tests.fixtures.sequences import made as sequence
from tests.privacy.conftest import Office
from tests.privacy.people import Person, found

TIMING = Timing()
ADA = "p00001"


@asynccontextmanager
async def page_in_writing(database: Database, tenants: Tenants, audience: Audience) -> AsyncIterator[None]:
    """A run of a schedule whose first page is written and not committed before this is left."""
    alice = tenants.alice
    schedule_id = await scheduled(database, alice, terms(audience))
    async with database.tenant_transaction(alice.id) as connection:
        run_id = await open_run(connection, Firing(alice.id, schedule_id, fire_at=datetime.now(UTC)), TIMING)
    assert run_id is not None
    async with database.tenant_transaction(alice.id) as connection:
        await Pager(TIMING, 10).write_next(connection, run_id)
        yield


@pytest.mark.parametrize("audience", [Audience(), Audience([ADA, "p00002"])], ids=["all", "named"])
async def test_a_page_that_is_being_written_leaves_nobody(
    office: Office, database: Database, tenants: Tenants, audience: Audience
) -> None:
    alice = tenants.alice
    await contacts(database, alice, 2)
    async with page_in_writing(database, tenants, audience):
        erasing = asyncio.create_task(office.erase(alice, ADA))
        await asyncio.sleep(0.3)
    job = await erasing
    for _ in range(3):
        await change(database, "UPDATE person_jobs SET next_at = now() WHERE state = 'open'")
        await office.rounds.round()
    assert (await office.job(job))["state"] == "done"
    left = "SELECT user_id, state FROM notifications WHERE tenant_id = %s ORDER BY user_id NULLS LAST"
    assert [(one["user_id"], one["state"]) for one in await rows(database, left, alice.id)] == [
        ("p00002", "open"),
        (None, "skipped"),
    ]


async def test_whoever_goes_while_a_page_looks_is_not_told(
    office: Office, database: Database, tenants: Tenants
) -> None:
    alice = tenants.alice
    await contacts(database, alice, 2)
    async with database.system_transaction() as connection:
        await connection.execute("DELETE FROM contacts WHERE tenant_id = %s AND user_id = %s", (alice.id, ADA))

        async def write() -> None:
            async with page_in_writing(database, tenants, Audience()):
                pass

        writing = asyncio.create_task(write())
        await asyncio.sleep(0.3)
    await writing
    assert await told(database, alice) == ["p00002"]
    job = await office.erase(alice, "p00002")
    assert (await office.job(job))["state"] == "done"
    assert await told(database, alice) == [None]


async def enrolled_with_key(database: Database, tenants: Tenants, people: Sequence[str], key: str) -> list[UUID]:
    """Enrol people in one request under a key."""
    alice = tenants.alice
    newcomers = [Newcomer(one, variables={"name": f"The name of {one}"}) for one in people]
    named = IdempotencyKey(key, b"hash")
    made, _ = await Enrolments(database).enrol(identity(alice), await sequence(database, alice), newcomers, named)
    return [made[one] for one in people]


async def test_nothing_is_left_of_somebody_on_the_way(
    office: Office, database: Database, database_url: str, tenants: Tenants
) -> None:
    alice, ada = tenants.alice, Person(tenants.alice.id)
    await scheduled(database, alice, terms(Audience([ada.user_id, "bob"])))
    [mine] = await enrolled_with_key(database, tenants, [ada.user_id], f"trial-of-{ada.user_id}")
    await enrolled_with_key(database, tenants, ["bob", ada.user_id], "trials")
    await advanced(database, alice, mine, datetime.now(UTC) + timedelta(minutes=1))
    assert found(database_url, ada) >= {
        "schedules.user_ids",
        "enrolments.user_id",
        "enrolments.variables",
        "notification_contents.title",
        "idempotency_keys.key",
    }

    await office.erase(alice, ada.user_id)

    assert found(database_url, ada) == set()
    left = "SELECT user_id, state FROM enrolments WHERE tenant_id = %s"
    assert await rows(database, left, alice.id) == [{"user_id": "bob", "state": "active"}]
    keys = "SELECT key FROM idempotency_keys WHERE tenant_id = %s"
    assert await rows(database, keys, alice.id) == [{"key": "trials"}]
    closed = await advanced(database, alice, mine, datetime.now(UTC) + timedelta(days=20))
    assert closed.closed
    assert await told(database, alice) == [None]
