"""The register of places: a new person's comes with their row, and nobody else is let in between."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Connection, Database
from postroom.identity import new_id
from postroom.policy.usage import Key, Place, Register, Usage
from tests.fixtures.database import Tenants

ADA, BOB = ("ada", "marketing"), ("bob", "marketing")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def tenant_id(tenants: Tenants) -> UUID:
    return tenants.alice.id


def register(connection: Connection, tenant_id: UUID) -> Register:
    return Register(connection, tenant_id, ChannelKind.EMAIL)


async def locked(database: Database, tenant_id: UUID, wanted: dict[Key, Place | None]) -> dict[Key, Usage]:
    async with database.tenant_transaction(tenant_id) as connection:
        return await register(connection, tenant_id).lock(wanted, frozenset())


async def test_who_is_new_and_alone_has_a_place_with_the_row(database: Database, tenant_id: UUID) -> None:
    place = Place(new_id(), NOON)
    opened = await locked(database, tenant_id, {ADA: place, BOB: None})
    assert opened[ADA].places == opened[ADA].written == {place.holder: NOON}
    assert (opened[BOB].places, opened[BOB].written) == ({}, None)
    found = await locked(database, tenant_id, {ADA: Place(new_id(), NOON), BOB: None})
    assert [(one.places, one.written) for one in found.values()] == [({place.holder: NOON}, None), ({}, None)]


async def test_a_place_that_came_with_the_row_is_given_back(database: Database, tenant_id: UUID) -> None:
    async with database.tenant_transaction(tenant_id) as connection:
        mine = register(connection, tenant_id)
        usages = await mine.lock({ADA: Place(new_id(), NOON)}, frozenset())
        usages[ADA].places.clear()
        await mine.write(usages.values())
    found = await locked(database, tenant_id, {ADA: None})
    assert found[ADA].places == {}


async def test_two_who_open_the_row_of_a_person_at_once_know_of_each_other(database: Database, tenant_id: UUID) -> None:
    first, second = Place(new_id(), NOON), Place(new_id(), NOON)
    async with database.tenant_transaction(tenant_id) as connection:
        await register(connection, tenant_id).lock({ADA: first}, frozenset())
        other = asyncio.create_task(locked(database, tenant_id, {ADA: second}))
        await asyncio.sleep(0.1)
        assert not other.done()
    found = await other
    assert (found[ADA].places, found[ADA].written) == ({first.holder: NOON}, None)
