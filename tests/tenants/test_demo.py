"""The demo tenant is made once, and its key keeps up with what there is to do."""

from postroom.database.engine import Database
from postroom.tenants.demo import SLUG, ensure_demo
from postroom.tenants.directory import Directory
from postroom.tenants.gate import Gate
from postroom.tenants.keys import Scope, new_key
from tests.fixtures.database import Tenants

PEPPER = b"pepper"


async def test_a_key_of_an_older_house_may_do_all_there_is_today(database: Database) -> None:
    key, other = new_key(PEPPER), new_key(PEPPER)
    await ensure_demo(database, PEPPER, key.text)
    directory = Directory(database, PEPPER)
    demo = await directory.tenant_id(SLUG)
    await directory.rescope_key(demo, key, [Scope.INBOX_READ])
    await directory.store_key(demo, other, ("narrow on purpose", [Scope.INBOX_READ], None))
    for _ in range(2):
        await ensure_demo(database, PEPPER, key.text)
    gate = Gate(database, PEPPER)
    assert (await gate.identify(key.text)).scopes == frozenset(Scope)
    assert (await gate.identify(other.text)).scopes == {Scope.INBOX_READ}


async def test_anothers_key_is_left_as_it_is(database: Database, tenants: Tenants) -> None:
    key = new_key(PEPPER)
    directory = Directory(database, PEPPER)
    await directory.store_key(tenants.decoy.id, key, ("theirs", [Scope.INBOX_READ], None))
    await ensure_demo(database, PEPPER, key.text)
    found = await Gate(database, PEPPER).identify(key.text)
    assert found.tenant_slug == tenants.decoy.slug
    assert found.scopes == {Scope.INBOX_READ}
