"""Digests of notifications that name templates, and digests whose type names one."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from postroom.identity import new_id
from postroom.rendering.renderer import Renderer
from postroom.templates.content import Content, Script, Variable, Variant
from tests.digests.ground import TIMING, TYPE, Ground
from tests.fixtures.house import gather, outfit, pass_over, send
from tests.fixtures.rows import Draft, change, notification, rows
from tests.policy.people import know

SHIPPED = Script(title="Parcel {{ number }}", text="On its way to {{ contact.city }}: {{ 6 / pieces }}")
GATHERED = Script(title="{{ count }} parcels", text="{{ items[0].title }}, and {{ overflow }} more")


@pytest.fixture(scope="module")
async def renderer() -> AsyncIterator[Renderer]:
    async with Renderer(1).open(warm=False) as opened:
        yield opened


@pytest.fixture
def speaking(ground: Ground, renderer: Renderer) -> Ground:
    """Alice's digests, with somebody who can render."""
    return replace(ground, renderer=renderer)


async def keep(ground: Ground, name: str, script: Script, **more: Any) -> object:
    """Write a template of one version, approved unless its `state` is another, that declares what is `wanted`."""
    content = Content(
        "in_app", "en", (Variant("default", 1, {"en": script}),), (Variable("number"), Variable("pieces"))
    )
    template_id = new_id()
    await change(
        ground.database,
        "INSERT INTO templates (id, tenant_id, name, channel) VALUES (%s, %s, %s, 'in_app')",
        template_id,
        ground.tenant_id,
        name,
    )
    await change(
        ground.database,
        "INSERT INTO template_versions (template_id, version, tenant_id, state, content, content_hash, approved_hash, "
        "variables) VALUES (%s, 1, %s, %s, %s::jsonb, %s, %s, %s)",
        template_id,
        ground.tenant_id,
        more.get("state", "approved"),
        content.canonical,
        content.hash,
        content.hash,
        Jsonb(more.get("wanted", [])),
    )
    return template_id


async def waits_with(ground: Ground, template_id: object, **variables: object) -> None:
    """Collect one notification that names a template."""
    one = await ground.accepted(draft := Draft(ground.tenant_id))
    await change(
        ground.database,
        "UPDATE notification_contents SET title = NULL, body_text = NULL, template_id = %s, template_version = 1, "
        "variables = %s WHERE notification_id = %s",
        template_id,
        Jsonb(variables),
        one,
    )
    await ground.collected([one], draft)


async def test_an_item_speaks_with_the_words_of_its_template(speaking: Ground) -> None:
    await know(speaking.database, speaking.tenant_id)
    statement = """UPDATE contacts SET attributes = '{"city": "Oslo"}' WHERE tenant_id = %s"""
    await change(speaking.database, statement, speaking.tenant_id)
    template_id = await keep(speaking, "shipped", SHIPPED)
    await waits_with(speaking, template_id, number="A-1", pieces=2)
    await speaking.waits()
    await speaking.close()
    [told] = await speaking.told()
    assert "Parcel A-1\nOn its way to Oslo: 3.0\n" in told["body_text"]
    assert "Hello\nA word from us." in told["body_text"]


async def test_one_that_cannot_be_rendered_is_told_by_its_type(speaking: Ground) -> None:
    template_id = await keep(speaking, "shipped", SHIPPED)
    await waits_with(speaking, template_id, number="A-1", pieces=0)
    await waits_with(speaking, new_id(), number="A-2")
    await speaking.waits()
    await speaking.close()
    [told] = await speaking.told()
    assert told["title"] == f"3 updates about {TYPE}"
    assert told["body_text"].count(f"\n{TYPE}\n") == 2
    assert "Hello\nA word from us." in told["body_text"]


async def declared(ground: Ground, template: str) -> None:
    statement = """
        INSERT INTO notification_types (tenant_id, name, group_name, class, digest_template)
        VALUES (%s, %s, 'activity', 'transactional', %s)
    """
    await change(ground.database, statement, ground.tenant_id, TYPE, template)


async def test_a_type_may_name_the_template_of_its_digests(speaking: Ground) -> None:
    template_id = await keep(speaking, "gathered", GATHERED)
    await declared(speaking, "gathered")
    await speaking.waits()
    await speaking.close()
    [told] = await speaking.told()
    assert (told["template_id"], told["template_version"], told["title"]) == (template_id, 1, None)
    assert (told["variables"]["count"], told["variables"]["overflow"]) == (1, 0)
    assert [item["title"] for item in told["variables"]["items"]] == ["Hello"]
    await gather(speaking.database, TIMING, speaking.tenant_id)
    carrier = (await notification(speaking.database, told["id"]))["carrier_id"]
    await send(outfit(speaking.database, TIMING, renderer=speaking.renderer), pass_over(speaking.tenant_id, carrier))
    statement = "SELECT title, body_text FROM inbox_messages WHERE tenant_id = %s"
    [message] = await rows(speaking.database, statement, speaking.tenant_id)
    assert (message["title"], message["body_text"]) == ("1 parcels", "Hello, and 0 more")


@pytest.mark.parametrize(
    ("wanted", "title"),
    [
        ({"name": "items", "type": "list"}, None),
        ({"name": "shop", "type": "text"}, None),
        ({"name": "greeting", "type": "text", "required": False, "default": "Hi"}, None),
        ({"name": "order", "type": "text"}, f"1 update about {TYPE}"),
        ({"name": "count", "type": "boolean"}, f"1 update about {TYPE}"),
    ],
)
async def test_one_that_wants_to_know_what_no_digest_knows_gives_way(
    speaking: Ground, wanted: dict[str, Any], title: str | None
) -> None:
    await keep(speaking, "gathered", GATHERED, wanted=[wanted])
    await declared(speaking, "gathered")
    own = "INSERT INTO tenant_settings (tenant_id, name, value) VALUES (%s, 'variables', %s)"
    await change(speaking.database, own, speaking.tenant_id, Jsonb({"shop": "Ada Books"}))
    await speaking.waits()
    await speaking.close()
    [told] = await speaking.told()
    assert (told["template_id"] is None, told["title"]) == (title is not None, title)


@pytest.mark.parametrize(("name", "state"), [("gathered", "draft"), ("another", "approved")])
async def test_where_that_is_not_approved_the_house_speaks(speaking: Ground, name: str, state: str) -> None:
    await keep(speaking, name, GATHERED, state=state)
    await declared(speaking, "gathered")
    await speaking.waits()
    await speaking.close()
    assert [one["title"] for one in await speaking.told()] == [f"1 update about {TYPE}"]
