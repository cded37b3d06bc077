"""What was accepted with a template is worded between claim and hand-off, on the real ledger."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.deliveries.handing import Outfit
from postroom.identity import new_id
from postroom.rendering.renderer import Renderer
from postroom.templates.content import Content, Script, Variable, Variant
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.house import gather, outfit, pass_over, send
from tests.fixtures.rows import Draft, accepted, change, deliveries, notification, rows

TIMING = Timing()
ENGLISH = Script(title="Order {{ number }}", text="Hi {{ name }}, {{ total | currency('EUR') }} for {{ shop }}.")
GERMAN = Script(title="Bestellung {{ number }}", html="<p>Hallo {{ name }}, {{ total | currency('EUR') }}</p>")
CONTENT = Content(
    "in_app",
    "en",
    (Variant("default", 1, {"en": ENGLISH, "de": GERMAN}),),
    (Variable("number"), Variable("name", required=False, default="you")),
)


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    async with Renderer(1).open(warm=False) as opened:
        yield opened


@pytest.fixture
def equipped(database: Database, renderer: Renderer) -> Outfit:
    return outfit(database, TIMING, renderer=renderer)


async def kept(database: Database, tenant_id: UUID, content: Content = CONTENT, *, approved: bool = True) -> UUID:
    template_id, state = new_id(), "approved" if approved else "draft"
    async with database.system_transaction() as connection:
        await connection.execute(
            "INSERT INTO templates (id, tenant_id, name, channel) VALUES (%s, %s, %s, %s)",
            (template_id, tenant_id, f"order-{template_id.hex[-8:]}", content.channel),
        )
        await connection.execute(
            "INSERT INTO template_versions (template_id, version, tenant_id, state, content, content_hash, "
            "approved_hash, variables) VALUES (%s, 1, %s, %s, %s::jsonb, %s, %s, '[]')",
            (template_id, tenant_id, state, content.canonical, content.hash, content.hash if approved else None),
        )
    return template_id


async def cast(database: Database, draft: Draft, template_id: UUID, **variables: Any) -> UUID:
    one = await accepted(database, draft)
    await change(
        database,
        "UPDATE notification_contents SET title = NULL, body_text = NULL, template_id = %s, template_version = 1, "
        "variables = %s WHERE notification_id = %s",
        template_id,
        Jsonb(variables),
        one,
    )
    return one


async def sent(database: Database, with_what: Outfit, tenant_id: UUID, *ids: UUID) -> None:
    await gather(database, TIMING, tenant_id)
    for carrier in {(await notification(database, one))["carrier_id"] for one in ids}:
        await send(with_what, pass_over(tenant_id, carrier))


async def inbox(database: Database, one: UUID) -> dict[str, Any]:
    found = await rows(
        database, "SELECT title, body_text, body_html FROM inbox_messages WHERE notification_id = %s", one
    )
    return found[0]


async def test_words_reach_the_inbox_in_the_persons_language(
    database: Database, tenants: Tenants, equipped: Outfit
) -> None:
    alice = tenants.alice.id
    template = await kept(database, alice)
    await change(
        database,
        "INSERT INTO tenant_settings (tenant_id, name, value) VALUES (%s, 'variables', %s)",
        alice,
        Jsonb({"shop": "Corner", "name": "nobody"}),
    )
    await change(
        database,
        "INSERT INTO contacts (tenant_id, user_id, addresses, language) VALUES (%s, 'berta', '{}', 'de-AT')",
        alice,
    )
    ada = await cast(database, Draft(alice), template, number="A-1", name="Ada", total=12.5)
    berta = await cast(database, Draft(alice, user_id="berta"), template, number="A-2", name="<b>", total="7")
    await sent(database, equipped, alice, ada, berta)
    assert await inbox(database, ada) == {
        "title": "Order A-1",
        "body_text": "Hi Ada, €12.50 for Corner.",
        "body_html": None,
    }
    assert await inbox(database, berta) == {
        "title": "Bestellung A-2",
        "body_text": None,
        "body_html": "<p>Hallo &lt;b&gt;, 7,00\xa0€</p>",
    }
    [row] = await deliveries(database, berta)
    assert (row["state"], row["template_variant"], row["language"]) == ("accepted", "default", "de")


async def test_what_lacks_a_value_fails_with_its_place_and_its_neighbours_go(
    database: Database, tenants: Tenants, equipped: Outfit
) -> None:
    alice = tenants.alice.id
    template = await kept(database, alice)
    bad = await cast(database, Draft(alice), template, number="A-1", total=1)
    plain = await accepted(database, Draft(alice))
    await change(database, "UPDATE notifications SET carrier_id = NULL WHERE id = ANY(%s)", [bad, plain])
    await sent(database, equipped, alice, bad, plain)
    assert (await notification(database, plain))["state"] == "sent"
    row = await notification(database, bad)
    assert (row["state"], row["reason"]) == ("failed", "template_undefined")
    [delivery] = await deliveries(database, bad)
    assert (delivery["state"], delivery["attempt"], delivery["template_variant"]) == ("failed", 0, "default")
    [event] = await rows(database, "SELECT * FROM notification_events WHERE notification_id = %s", bad)
    assert (event["kind"], event["reason"]) == ("no_words", "template_undefined")
    assert event["detail"] == {
        "channel": "in_app",
        "field": "text",
        "line": 1,
        "column": 53,
        "variable": "shop",
        "variant": "default",
        "language": "en",
    }


async def test_a_claim_goes_back_when_no_renderer_can_be_had(
    database: Database, tenants: Tenants, monkeypatch: pytest.MonkeyPatch, equipped: Outfit
) -> None:
    alice = tenants.alice.id
    one = await cast(database, Draft(alice), await kept(database, alice), number="A-1", name="Ada", total=1)
    monkeypatch.setattr("postroom.rendering.process.sys.executable", "/nowhere/python")
    await sent(database, equipped, alice, one)
    [delivery] = await deliveries(database, one)
    assert (delivery["state"], delivery["attempt"], delivery["reason"]) == ("pending", 0, "renderer_busy")
    assert (await notification(database, one))["state"] == "open"
    monkeypatch.undo()
    await change(database, "UPDATE deliveries SET not_before = now() WHERE notification_id = %s", one)
    await change(
        database,
        "INSERT INTO tenant_settings (tenant_id, name, value) VALUES (%s, 'variables', %s)",
        alice,
        Jsonb({"shop": "Corner"}),
    )
    await sent(database, equipped, alice, one)
    assert (await inbox(database, one))["title"] == "Order A-1"


async def test_a_claim_that_was_lost_meanwhile_is_not_failed(
    database: Database, tenants: Tenants, equipped: Outfit, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = tenants.alice.id
    one = await cast(database, Draft(alice), await kept(database, alice), number="A-1")
    speak = Renderer.speak

    async def cancelled_meanwhile(self: Renderer, *given: Any) -> Any:
        await change(
            database,
            "UPDATE deliveries SET state = 'cancelled', reason = 'cancelled', token = NULL, ended_at = now() "
            "WHERE notification_id = %s",
            one,
        )
        return await speak(self, *given)

    monkeypatch.setattr(Renderer, "speak", cancelled_meanwhile)
    await sent(database, equipped, alice, one)
    [delivery] = await deliveries(database, one)
    assert (delivery["state"], delivery["reason"]) == ("cancelled", "cancelled")
    assert ChannelKind(delivery["channel"]) is ChannelKind.IN_APP


async def test_what_nobody_approved_is_said_to_nobody(database: Database, tenants: Tenants, equipped: Outfit) -> None:
    alice = tenants.alice.id
    template = await kept(database, alice, approved=False)
    one = await cast(database, Draft(alice), template, number="A-1", name="Ada", total=1)
    await sent(database, equipped, alice, one)
    row = await notification(database, one)
    assert (row["state"], row["reason"]) == ("failed", "template_not_approved")


async def test_another_tenants_template_says_nothing(database: Database, tenants: Tenants, equipped: Outfit) -> None:
    theirs = await kept(database, tenants.decoy.id)
    one = await cast(database, Draft(tenants.alice.id), theirs, number="A-1", name="Ada", total=1)
    await sent(database, equipped, tenants.alice.id, one)
    assert (await notification(database, one))["reason"] == "template_not_approved"


async def test_times_are_told_by_the_clock_of_the_reader_and_else_of_the_tenant(
    database: Database, tenants: Tenants, equipped: Outfit
) -> None:
    tenant_id = tenants.alice.id
    noon = Content("in_app", "en", (Variant("default", 1, {"en": Script(text="{{ at | time }}")}),), (Variable("at"),))
    template_id = await kept(database, tenant_id, noon)
    await change(
        database,
        "INSERT INTO contacts (tenant_id, user_id, time_zone) VALUES (%s, 'ada', 'Asia/Tokyo'), (%s, 'bob', NULL)",
        tenant_id,
        tenant_id,
    )
    policy = "INSERT INTO tenant_settings (tenant_id, name, value) VALUES (%s, 'policy', %s)"
    await change(database, policy, tenant_id, Jsonb({"time_zone": "Europe/Paris", "quiet_hours": {"enabled": False}}))
    ids = []
    for user_id in ("ada", "bob"):
        draft = Draft(tenant_id, user_id=user_id, channels=(ChannelKind.IN_APP,))
        ids.append(await cast(database, draft, template_id, at="2026-11-20T12:00:00Z"))
    await sent(database, equipped, tenant_id, *ids)
    assert [(await inbox(database, one))["body_text"] for one in ids] == ["9:00\u202fPM", "1:00\u202fPM"]
