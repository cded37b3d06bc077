"""What a notification was pinned to can be said for ever; what was never approved as it stands, never."""

from uuid import UUID

from postroom.database.engine import Database
from postroom.identity import new_id
from postroom.templates import repository
from postroom.templates.content import Content, Script, Variable, Variant
from postroom.templates.library import contents
from postroom.templates.records import State
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change

SAID = Content(
    "email",
    "en",
    (Variant("a", 1, {"en": Script(title="Hello", text="{{ name }}"), "zh-CN": Script(title="你好", html="<p>")}),),
    (Variable.named("name"),),
)


async def shelved(database: Database, tenant_id: UUID, state: State) -> UUID:
    """A template with one version in some state."""
    template_id, key_id = new_id(), new_id()
    place = {"tenant_id": tenant_id, "id": template_id, "version": 1, "key_id": key_id}
    async with database.tenant_transaction(tenant_id) as connection:
        template = {"id": template_id, "name": template_id.hex, "channel": "email"}
        assert await repository.add(connection, tenant_id, template)
        await repository.write_version(connection, place, SAID, state)
    return template_id


async def test_approved_contents_come_back_as_they_were_written(database: Database, tenants: Tenants) -> None:
    one, other = [await shelved(database, tenants.alice.id, State.APPROVED) for _ in range(2)]
    draft = await shelved(database, tenants.alice.id, State.IN_REVIEW)
    retire = "UPDATE template_versions SET state = 'retired' WHERE template_id = %s"
    await change(database, retire, other)
    await change(database, "UPDATE templates SET deleted_at = now() WHERE id = %s", other)
    wanted = {(one, 1), (other, 1), (draft, 1), (one, 2)}
    async with database.tenant_transaction(tenants.alice.id) as connection:
        found = await contents(connection, wanted)
        assert await contents(connection, set()) == {}
    assert found == {(one, 1): SAID, (other, 1): SAID}
    assert found[one, 1].hash == SAID.hash


async def test_another_tenant_finds_nothing(database: Database, tenants: Tenants) -> None:
    one = await shelved(database, tenants.alice.id, State.APPROVED)
    async with database.tenant_transaction(tenants.decoy.id) as connection:
        assert await contents(connection, {(one, 1)}) == {}


def test_equal_contents_have_one_hash_and_others_another() -> None:
    again = Content.read({**SAID.stored, "variables": SAID.stored["variables"][::-1]})
    assert (again, again.hash) == (SAID, SAID.hash)
    assert Content.read({**SAID.stored, "default_language": "zh-CN"}).hash != SAID.hash
