"""What comes back is taken in over the API: mails by a key, calls of providers by their own proof."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx2
import pytest

from api.app import create_app
from postroom.channels.email.addresses import clean_address
from postroom.database.engine import Database
from postroom.feedback.return_paths import ReturnPaths
from postroom.identity import FEEDBACK_SOURCE, new_id, public_id
from postroom.settings import Settings
from postroom.tenants.keys import Scope
from tests.api.conftest import Caller, calling, problem
from tests.feedback import samples
from tests.fixtures.database import Tenants
from tests.fixtures.plain_http import plain_client
from tests.fixtures.rows import rows
from tests.fixtures.sent import letter
from tests.fixtures.serving import serving

POSTMARK = {"vendor": "postmark", "name": "Postmark, live", "secret": "user:pass"}
BASIC = {"Authorization": "Basic " + base64.b64encode(b"user:pass").decode()}


async def deliver(caller: Caller, raw: bytes, media_type: str = "message/rfc822") -> httpx2.Response:
    """Hand a mail over, as the hook of a mail server does."""
    return await caller.wire.post("/api/v1/feedback/mail", content=raw, headers={"Content-Type": media_type})


async def call(caller: Caller, path: str, body: Any, **headers: str) -> httpx2.Response:
    """Call as a provider does: without a key of ours."""
    url = caller.wire.base_url.join(path)
    async with plain_client() as wire:
        return await wire.post(url, content=json.dumps(body).encode(), headers=headers)


async def feedback(database: Database, delivery_id: UUID) -> list[tuple[str, str | None]]:
    found = await rows(database, "SELECT kind, enhanced FROM delivery_feedback WHERE delivery_id = %s", delivery_id)
    return [(row["kind"], row["enhanced"]) for row in found]


async def added(caller: Caller) -> dict[str, Any]:
    answer = await caller.post("/feedback/sources", POSTMARK)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_bounce_by_mail_suppresses(alice: Caller, database: Database) -> None:
    one = await letter(database, alice.tenant.id)
    for _ in range(2):
        answer = await deliver(alice, samples.postfix(one))
        assert (answer.status_code, answer.json()) == (200, {"outcome": "bounce", "reports": 1})
    assert await feedback(database, one) == [("bounced", "5.1.1")]
    [entry] = (await alice.get("/suppressions"))["items"]
    assert (entry["scope"], entry["reason"], entry["source"]) == ("all", "bounced", "feedback")


async def test_it_stands_in_the_timeline(alice: Caller, database: Database) -> None:
    notification = await alice.sent()
    [row] = await rows(
        database,
        "INSERT INTO deliveries (tenant_id, notification_id, position, channel, state, attempt, address, expires_at) "
        "VALUES (%s, %s, 0, 'email', 'accepted', 1, 'ada@shop.de', now()) RETURNING id",
        alice.tenant.id,
        UUID(notification.removeprefix("notif_")),
    )
    await deliver(alice, samples.exchange(row["id"]))
    told = [entry["summary"] for entry in (await alice.get(f"/notifications/{notification}/timeline"))["entries"]]
    assert "The e-mail came back (5.1.10)." in told


async def test_a_mail_is_believed_about_ones_own_alone(alice: Caller, decoy: Caller, database: Database) -> None:
    theirs = await letter(database, decoy.tenant.id)
    answers = [await deliver(alice, samples.qmail(one)) for one in (theirs, new_id())]
    assert [answer.json() for answer in answers] == [{"outcome": "bounce", "reports": 1}] * 2
    assert await feedback(database, theirs) == []


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [(samples.VACATION, "auto_reply"), (b"", "not_a_report"), (b"\xff" * 3_000_000, "not_a_report")],
)
async def test_whatever_it_is_it_was_taken(alice: Caller, raw: bytes, outcome: str) -> None:
    for media_type in ("message/rfc822", "application/octet-stream", "x"):
        answer = await deliver(alice, raw, media_type)
        assert (answer.status_code, answer.json()) == (200, {"outcome": outcome, "reports": 0})


async def test_a_mail_has_an_end(alice: Caller) -> None:
    assert problem(await deliver(alice, b"x" * 10_000_001))[:2] == (413, "payload_too_large")


@pytest.fixture
async def returning(settings: Settings, database: Database, tenants: Tenants) -> AsyncIterator[Caller]:
    """A caller of an API that has a bounce domain."""
    changed = settings.model_copy(update={"bounce_domain": "bounces.postroom.example"})
    async with serving(create_app(changed)) as url, calling(database, changed, url, tenants.alice) as caller:
        yield caller


async def test_a_return_path_proves_whose_mail_it_was(
    returning: Caller, settings: Settings, database: Database, tenants: Tenants
) -> None:
    keys = settings.sealing_keys.get_secret_value()
    returns = ReturnPaths.parse(keys, "bounces.postroom.example")
    theirs = await letter(database, tenants.decoy.id)
    forged = await deliver(returning, samples.postfix(theirs, f"b+{'a' * 52}@bounces.postroom.example"))
    assert forged.json() == {"outcome": "forged", "reports": 0}
    assert await feedback(database, theirs) == []
    await deliver(returning, samples.postfix(new_id(), returns.address(theirs, "bounces.shop.de")))
    assert await feedback(database, theirs) == [("bounced", "5.1.1")]


async def test_a_provider_is_listened_to(alice: Caller, database: Database) -> None:
    one, source = await letter(database, alice.tenant.id), await added(alice)
    event = {"RecordType": "SpamComplaint", "Metadata": {"message_id": f"{one.hex}@postroom.example"}}
    for _ in range(2):
        assert (await call(alice, source["path"], event, **BASIC)).status_code == 200
    assert (await call(alice, source["path"], {"RecordType": "Open"}, **BASIC)).status_code == 200
    assert await feedback(database, one) == [("complained", None)]
    [now] = (await alice.get("/feedback/sources"))["items"]
    assert (now["known"], now["ignored"], now["heard_at"] is None) == (2, 1, False)
    assert "secret" not in now
    [entry] = (await alice.get("/suppressions"))["items"]
    assert (entry["scope"], entry["reason"]) == ("marketing", "complained")


async def test_a_provider_speaks_for_one_tenant(alice: Caller, decoy: Caller, database: Database) -> None:
    theirs, source = await letter(database, decoy.tenant.id), await added(alice)
    event = {"RecordType": "SpamComplaint", "Metadata": {"message_id": f"{theirs.hex}@postroom.example"}}
    assert (await call(alice, source["path"], event, **BASIC)).status_code == 200
    assert await feedback(database, theirs) == []
    assert (await alice.get("/feedback/sources"))["items"][0]["ignored"] == 1


async def test_who_does_not_prove_itself_learns_nothing(alice: Caller) -> None:
    source = await added(alice)
    absent = public_id(FEEDBACK_SOURCE, new_id())
    answers = [
        await call(alice, source["path"], {}),
        await call(alice, source["path"].replace(source["id"], absent), {}, **BASIC),
        await call(alice, source["path"].replace(source["id"], "nothing"), {}, **BASIC),
    ]
    assert {problem(answer)[:2] for answer in answers} == {(401, "invalid_signature")}
    assert problem(await call(alice, source["path"], "x" * 1_000_001, **BASIC))[:2] == (413, "payload_too_large")


async def test_sources_are_made_once_and_deleted(alice: Caller, decoy: Caller) -> None:
    named = {"Idempotency_Key": "one"}
    first = await alice.post("/feedback/sources", POSTMARK, **named)
    again = await alice.post("/feedback/sources", POSTMARK, **named)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert again.headers["idempotent-replayed"] == "true"
    assert (await decoy.get("/feedback/sources"))["items"] == []
    path = f"/api/v1/feedback/sources/{first.json()['id']}"
    assert (await decoy.wire.delete(path)).status_code == 404
    assert (await alice.wire.delete(path)).status_code == 204
    assert problem(await call(alice, first.json()["path"], {}, **BASIC))[:2] == (401, "invalid_signature")


@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"secret": "user"}, "invalid_secret", "/secret"),
        ({"vendor": "pigeon"}, "invalid_value", "/vendor"),
        ({"name": ""}, "too_short", "/name"),
        ({"url": "x"}, "unknown_field", "/url"),
    ],
)
async def test_a_bad_source_is_refused(alice: Caller, changes: dict[str, str], code: str, place: str) -> None:
    answer = await alice.post("/feedback/sources", POSTMARK | changes)
    assert (answer.status_code, problem(answer)[2]) == (422, [place]), (code, answer.text)


async def test_there_are_so_many_sources_at_most(alice: Caller) -> None:
    for _ in range(20):
        await added(alice)
    assert problem(await alice.post("/feedback/sources", POSTMARK))[:2] == (422, "too_many_sources")


async def test_a_key_needs_the_scope(database: Database, settings: Settings, api_url: str, tenants: Tenants) -> None:
    async with calling(database, settings, api_url, tenants.alice, [Scope.FEEDBACK_READ]) as reader:
        assert problem(await deliver(reader, b"x"))[:2] == (403, "insufficient_scope")
        assert problem(await reader.post("/feedback/sources", POSTMARK))[:2] == (403, "insufficient_scope")
        assert await reader.get("/feedback/sources") == {"items": []}
    without = replace(reader, key="")
    async with plain_client(base_url=api_url) as wire:
        assert problem(await deliver(replace(without, wire=wire), b"x"))[:2] == (401, "key_missing")


def test_a_bounce_domain_is_a_domain(settings: Settings) -> None:
    assert settings.bounce_domain is None
    kept = Settings.model_validate(settings.model_dump() | {"bounce_domain": "Bounces.Shop.de"})
    assert kept.bounce_domain == "bounces.shop.de" == clean_address("b@Bounces.shop.de").partition("@")[2]
    with pytest.raises(ValueError, match="BOUNCE_DOMAIN"):
        Settings.model_validate(settings.model_dump() | {"bounce_domain": "x@y z"})
