"""From the API to the inbox: what was accepted is said as it was accepted, whatever became of its template."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from postroom.database.engine import Database
from postroom.deliveries.handing import Outfit
from postroom.rendering.renderer import Renderer
from postroom.timing import Timing
from tests.api.conftest import Caller
from tests.api.v1.templates.test_reviews import step
from tests.api.v1.templates.test_routes import made, saved, unreviewed
from tests.fixtures.house import gather, outfit, pass_over, send
from tests.fixtures.rows import notification, rows

TIMING = Timing()
NOTE = {"name": "note", "channel": "in_app", "title": "One"}


@pytest.fixture
async def equipped(database: Database) -> AsyncIterator[Outfit]:
    """A send pass that can put templates into words."""
    async with Renderer(1).open(warm=False) as renderer:
        yield outfit(database, TIMING, renderer=renderer)


async def accepted(caller: Caller, user_id: str, **changes: Any) -> UUID:
    body = {"user_id": user_id, "channel": "in_app", "template": "note", "variables": {"name": user_id}, **changes}
    answer = await caller.post("/notifications", body)
    assert answer.status_code == 202, answer.text
    return UUID(hex=answer.json()["id"].removeprefix("notif_"))


async def carried(database: Database, equipped: Outfit, caller: Caller) -> None:
    """Bring everything that is due to its end."""
    await gather(database, TIMING, caller.tenant.id)
    due = "SELECT DISTINCT carrier_id FROM notifications WHERE tenant_id = %s AND state = 'open'"
    for row in await rows(database, due, caller.tenant.id):
        await send(equipped, pass_over(caller.tenant.id, row["carrier_id"]))


async def heard(database: Database, caller: Caller) -> dict[str, tuple[str, str]]:
    inbox = "SELECT user_id, title, body_text FROM inbox_messages WHERE tenant_id = %s"
    return {row["user_id"]: (row["title"], row["body_text"]) for row in await rows(database, inbox, caller.tenant.id)}


async def test_what_waits_is_said_as_it_was_accepted(alice: Caller, database: Database, equipped: Outfit) -> None:
    await unreviewed(alice)
    await alice.wire.put("/api/v1/settings/variables/town", json={"value": "Bonn"})
    template = await made(alice, **NOTE, content="Hello {{ name }} of {{ town }}.", variables=["name"])
    first = await accepted(alice, "ada")
    await saved(alice, "note", **NOTE, content="Hi {{ name }}.")
    second = await accepted(alice, "berta")
    await step(alice, "note", "retire", 1)
    await step(alice, "note", "retire", 2)
    await alice.wire.delete(f"/api/v1/templates/{template['id']}")
    await made(alice, **NOTE, content="Another template of this name.")
    await alice.wire.put("/api/v1/settings/variables/town", json={"value": "Köln"})
    await carried(database, equipped, alice)
    assert await heard(database, alice) == {"ada": ("One", "Hello ada of Köln."), "berta": ("One", "Hi berta.")}
    for one in (first, second):
        assert (await notification(database, one))["state"] == "sent"


async def test_language_and_variant_are_told_and_counted(alice: Caller, database: Database, equipped: Outfit) -> None:
    await unreviewed(alice)
    await alice.wire.put("/api/v1/contacts/berta", json={"language": "zh-TW"})
    languages = {"en": {"text": "Hello"}, "de": {"text": "Hallo"}, "zh-Hant": {"text": "您好"}, "zh": {"text": "您好!"}}
    variants = [{"name": "a", "languages": languages}, {"name": "b", "weight": 0, "languages": languages}]
    body = {"name": "note", "channel": "in_app", "variants": variants}
    assert (await alice.post("/templates", body)).json()["active_version"] == 1
    ada = await accepted(alice, "ada", language="de-AT")
    await accepted(alice, "berta")
    await accepted(alice, "cleo", language="fr")
    await carried(database, equipped, alice)
    said = {user: text for user, (_, text) in (await heard(database, alice)).items()}
    assert said == {"ada": "Hallo", "berta": "您好", "cleo": "Hello"}
    [delivery] = (await alice.get(f"/notifications/notif_{ada.hex}"))["deliveries"]
    assert (delivery["variant"], delivery["language"], delivery["state"]) == ("a", "de", "accepted")
    results = (await alice.get("/templates/note/results"))["items"]
    assert [(one["variant"], one["language"], one["counts"]) for one in results] == [
        ("a", language, {"accepted": 1}) for language in ("de", "en", "zh-Hant")
    ]
