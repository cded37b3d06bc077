"""The gate recognises keys, remembers them for a moment, and asks the database no more than it must."""

import asyncio

import pytest

from postroom.database.engine import Database
from postroom.errors import Forbidden, Unauthenticated
from postroom.tenants import gate as gates
from postroom.tenants.directory import Directory
from postroom.tenants.gate import Gate
from postroom.tenants.keys import Scope, new_key
from tests.fixtures.database import Tenants

PEPPER = b"pepper"


async def test_a_key_tells_whose_it_is(database: Database, tenants: Tenants) -> None:
    directory, gate = Directory(database, PEPPER), Gate(database, PEPPER)
    mine, _ = await directory.add_key(tenants.alice.slug, "mine", [Scope.INBOX_READ])
    theirs, _ = await directory.add_key(tenants.decoy.slug, "theirs")
    identities = await asyncio.gather(*(gate.identify(mine.text) for _ in range(20)))
    assert {identity.tenant_id for identity in identities} == {tenants.alice.id}
    assert (await gate.identify(theirs.text)).tenant_slug == tenants.decoy.slug
    identities[0].require(Scope.INBOX_READ)
    with pytest.raises(Forbidden):
        identities[0].require(Scope.INBOX_WRITE)


async def test_a_tenant_answers_to_its_own_names(database: Database, tenants: Tenants) -> None:
    key, _ = await Directory(database, PEPPER).add_key(tenants.alice.slug, "mine")
    identity = await Gate(database, PEPPER).identify(key.text)
    for name in (tenants.alice.slug, str(tenants.alice.id), f"tenant_{tenants.alice.id.hex}"):
        assert identity.is_named_by(name)
    for name in ("", tenants.decoy.slug, str(tenants.decoy.id)):
        assert not identity.is_named_by(name)


async def test_strangers_are_forgotten_before_there_are_too_many(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "MEMORY_KEYS", 10)
    gate = Gate(database, PEPPER)
    for _ in range(30):
        with pytest.raises(Unauthenticated) as refusal:
            await gate.identify(new_key(PEPPER).text)
        assert refusal.value.code == "key_unknown"
    assert len(gate._bad._verdicts) == 10  # noqa: SLF001 - the bound is what the test is about


async def test_a_key_hashed_under_another_pepper_is_unknown(database: Database, tenants: Tenants) -> None:
    key, _ = await Directory(database, b"other").add_key(tenants.alice.slug, "mine")
    with pytest.raises(Unauthenticated):
        await Gate(database, PEPPER).identify(key.text)
