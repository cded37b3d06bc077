"""The link is the key: looking changes nothing, one click ends it, and whoever has no link learns nothing."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from api.person_pages import PER_MINUTE
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.identity import address_hash, new_id
from postroom.person_pages.links import Bearer, LinkMaker
from postroom.settings import Settings
from tests.api.conftest import Caller, problem
from tests.fixtures.plain_http import plain_client
from tests.fixtures.rows import rows

FORM = {"content-type": "application/x-www-form-urlencoded"}
ONE_CLICK = b"List-Unsubscribe=One-Click"
NEWS = {"group": "offers", "class": "marketing", "description": "What is new <b>&</b> good"}
INVOICE = {"group": "billing", "class": "transactional"}
SCOPES = "SELECT scope, reason FROM suppressions WHERE tenant_id = %s"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a link, and a browser without a memory."""

    wire: httpx2.AsyncClient
    links: LinkMaker
    bearer: Bearer

    def path(self, place: str, **changes: Any) -> str:
        return f"/{place}/{self.links.token(replace(self.bearer, **changes))}"

    async def get(self, place: str, **changes: Any) -> httpx2.Response:
        return await self.wire.get(self.path(place, **changes))

    async def post(self, place: str, body: bytes = ONE_CLICK, **changes: Any) -> httpx2.Response:
        return await self.wire.post(self.path(place, **changes), content=body, headers=FORM)


@pytest.fixture
async def ada(alice: Caller, settings: Settings, api_url: str) -> AsyncIterator[Person]:
    """A person of Alice's who got the newsletter, and nothing to prove it with but the link."""
    for name, kind in {"news": NEWS, "invoice": INVOICE}.items():
        assert (await alice.wire.put(f"/api/v1/notification-types/{name}", json=kind)).status_code == 201
    await alice.wire.put("/api/v1/contacts/ada", json={"addresses": {"email": "ada@shop.de"}, "language": "en"})
    links = LinkMaker.parse(settings.sealing_keys.get_secret_value(), settings.public_url)
    hashed = address_hash(b"any", "email", "ada@shop.de")
    bearer = Bearer(alice.tenant.id, "ada", ChannelKind.EMAIL, hashed, "news")
    async with plain_client(base_url=api_url, timeout=20) as wire:
        yield Person(wire, links, bearer)


async def said(alice: Caller, user_id: str = "ada") -> Any:
    """Everything that is written about a person."""
    read = await alice.get(f"/contacts/{user_id}/preferences")
    words = [(one["notification_type"], one["channel"], one["enabled"]) for one in read["preferences"]]
    return words, read["paused_until"]


async def test_looking_changes_nothing(alice: Caller, ada: Person, database: Database) -> None:
    before = await alice.get("/contacts/ada")
    for place in ("u", "p"):
        for method in ("GET", "HEAD"):
            for path in (ada.path(place), ada.path(place, user_id=None)):
                assert (await ada.wire.request(method, path)).status_code == 200
    assert (await ada.wire.get(ada.path("u") + "/undo")).status_code == 200
    assert await said(alice) == ([], None)
    assert await alice.get("/contacts/ada") == before
    assert await rows(database, SCOPES, alice.tenant.id) == []


@pytest.mark.parametrize("body", [ONE_CLICK, b"", b"\0\xff" * 100, b'{"a": 1}', b"List-Unsubscribe=No"])
async def test_one_click_ends_it_whatever_the_body_says(alice: Caller, ada: Person, body: bytes) -> None:
    for _ in range(2):
        answer = await ada.post("u", body)
        assert (answer.status_code, "location" in answer.headers, "set-cookie" in answer.headers) == (200, False, False)
    assert await said(alice) == ([("news", "email", False)], None)
    [change] = (await alice.get("/contacts/ada/preferences/changes"))["items"]
    assert (change["by"], change["subject"], change["before"]) == ("person", "preference", None)


async def test_a_link_is_used_so_often_in_a_minute(ada: Person) -> None:
    answers = [await ada.get("u", user_id="hammered")]
    while answers[-1].status_code == 200 and len(answers) < 5 * PER_MINUTE:  # a slow machine needs more than a minute
        answers.append(await ada.get("u", user_id="hammered"))
    assert len(answers) > PER_MINUTE
    assert problem(answers[-1])[:2] == (429, "rate_limited")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert (await ada.post("u")).status_code == 200  # the same address, another link


@pytest.mark.parametrize("media_type", ["multipart/form-data; boundary=x", "application/json", "text/plain", ""])
async def test_whatever_a_mail_program_calls_its_body(alice: Caller, ada: Person, media_type: str) -> None:
    answer = await ada.wire.post(ada.path("u"), content=ONE_CLICK, headers={"content-type": media_type})
    assert answer.status_code == 200
    assert await said(alice) == ([("news", "email", False)], None)


@pytest.mark.parametrize("notification_type", [None, "invoice", "undeclared"])
async def test_what_is_no_declared_offer_ends_all_marketing(
    alice: Caller, ada: Person, notification_type: str | None
) -> None:
    """An invoice must go on, and so must what is sent under a name that serves other ends too."""
    assert "marketing" in (await ada.post("u", notification_type=notification_type)).text
    assert await said(alice) == ([], None)
    assert (await alice.get("/contacts/ada"))["consent"]["marketing"]["email"]["given"] is False
    applied = {one["notification_type"]: one for one in (await alice.get("/contacts/ada/preferences"))["effective"][:4]}
    assert applied["invoice"]["enabled"]


async def test_undo(alice: Caller, ada: Person) -> None:
    await ada.post("u")
    assert (await ada.wire.post(ada.path("u") + "/undo")).status_code == 200
    assert await said(alice) == ([("news", "email", True)], None)
    await ada.post("u", notification_type=None)
    assert (await ada.wire.post(ada.path("u", notification_type=None) + "/undo")).status_code == 200
    assert (await alice.get("/contacts/ada"))["consent"]["marketing"]["email"]["given"] is True


@pytest.mark.parametrize("scope", ["type:news", "marketing"])
async def test_an_address_without_a_name(alice: Caller, ada: Person, database: Database, scope: str) -> None:
    nameless: dict[str, Any] = {"user_id": None, "notification_type": scope.removeprefix("type:")}
    for _ in range(2):
        assert (await ada.post("u", **nameless)).status_code == 200
    assert await rows(database, SCOPES, alice.tenant.id) == [{"scope": scope, "reason": "unsubscribed"}]
    assert (await ada.wire.post(ada.path("u", **nameless) + "/undo")).status_code == 200
    assert await rows(database, SCOPES, alice.tenant.id) == []
    shown = {"shown": ["marketing", "email.news"], "was": ["marketing", "email.news"], "on": ["email.news"]}
    assert (await ada.post("p", urlencode(shown, doseq=True).encode(), **nameless)).status_code == 200
    assert await rows(database, SCOPES, alice.tenant.id) == [{"scope": "marketing", "reason": "unsubscribed"}]


async def test_nothing_is_written_again_about_a_person_who_was_erased(
    alice: Caller, ada: Person, database: Database
) -> None:
    assert (await ada.post("u", user_id="erased")).status_code == 200
    assert await said(alice, "erased") == ([], None)
    assert (await alice.wire.get("/api/v1/contacts/erased")).status_code == 404
    assert await rows(database, SCOPES, alice.tenant.id) == [{"scope": "type:news", "reason": "unsubscribed"}]


async def test_the_page_saves_what_differs(alice: Caller, ada: Person) -> None:
    page = (await ada.get("p")).text
    assert 'name="on" value="email.news" checked' in page.replace("\n", " ")
    boxes = ["marketing", "email.news", "in_app.news", "email.invoice", "in_app.invoice"]
    form = {
        "shown": boxes,
        "was": boxes,
        "on": ["marketing", "in_app.news", "email.invoice", "in_app.invoice"],
        "frequency.news": "weekly",
        "frequency.invoice": "immediate",
        "pause": "forever",
    }
    saved = await ada.post("p", urlencode(form, doseq=True).encode())
    assert (saved.status_code, 'role="status"' in saved.text) == (200, True)
    assert await said(alice) == ([("news", "email", False), ("news", "in_app", True)], "forever")
    again = await ada.post("p", urlencode({**form, "pause": "keep"}, doseq=True).encode())
    assert again.status_code == 200
    assert await said(alice) == ([("news", "email", False), ("news", "in_app", True)], "forever")
    changes = (await alice.get("/contacts/ada/preferences/changes"))["items"]
    assert [(one["subject"], one["by"]) for one in changes] == [("pause", "person")] + [("preference", "person")] * 2


async def test_a_page_from_before_an_unsubscription_does_not_undo_it(alice: Caller, ada: Person) -> None:
    page = (await ada.get("p")).text
    for nothing in (None, "news"):
        await ada.post("u", notification_type=nothing)
    fields = re.findall(r'name="(shown|was|on)" value="([^"]+)"', page)
    assert ("was", "marketing") in fields
    assert ("was", "email.news") in fields
    await ada.post("p", urlencode([*fields, ("pause", "week")]).encode())
    words, paused = await said(alice)
    assert (words, paused is None) == ([("news", "email", False)], False)
    assert (await alice.get("/contacts/ada"))["consent"]["marketing"]["email"]["given"] is False


async def test_security_is_not_for_a_form_to_end(alice: Caller, ada: Person) -> None:
    await alice.wire.put("/api/v1/notification-types/code", json={"group": "system", "class": "security"})
    assert "email.code" not in (await ada.get("p")).text
    await ada.post("p", b"shown=email.code&frequency.code=weekly")
    assert await said(alice) == ([], None)


@pytest.mark.parametrize("place", ["u", "p"])
async def test_a_link_that_is_none(alice: Caller, decoy: Caller, ada: Person, place: str) -> None:
    other = replace(ada, links=LinkMaker({"test": bytes(32)}, "http://x"))
    paths = [f"/{place}/nothing", f"/{place}/{'A' * 3_000}", other.path(place), ada.path(place, tenant_id=new_id())]
    for path in paths:
        for method in ("GET", "POST"):
            answer = await ada.wire.request(method, path, headers=FORM)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
            assert "This link does not work" in answer.text
    assert await said(alice) == ([], None)


async def test_the_same_name_is_two_people(alice: Caller, decoy: Caller, ada: Person) -> None:
    await decoy.wire.put("/api/v1/contacts/ada", json={"language": "de"})
    assert (await ada.post("u", tenant_id=decoy.tenant.id)).status_code == 200
    assert (await decoy.get("/contacts/ada"))["consent"]["marketing"]["email"]["given"] is False
    assert (await alice.get("/contacts/ada"))["consent"] == {}
    page = await ada.get("p", tenant_id=decoy.tenant.id)
    assert "email.news" not in page.text


async def test_what_a_browser_may_do_with_it(ada: Person) -> None:
    for answer in (await ada.get("p"), await ada.post("u"), await ada.wire.get("/u/nothing")):
        rules = answer.headers["content-security-policy"].split("; ")
        assert "default-src 'none'" in rules
        assert "frame-ancestors 'none'" in rules
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert answer.headers["cache-control"] == "no-store"
        assert "<script" not in answer.text
        assert "ada@shop.de" not in answer.text
    assert "What is new &lt;b&gt;&amp;&lt;/b&gt; good" in (await ada.get("p")).text


async def test_the_links_on_it_never_come_from_the_request(ada: Person, settings: Settings) -> None:
    page = await ada.wire.get(ada.path("u"), headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
    assert f'action="{settings.public_url}/u/' in page.text
    assert "evil.example" not in page.text


async def test_it_speaks_the_persons_language(alice: Caller, ada: Person) -> None:
    await alice.wire.put("/api/v1/contacts/ada", json={"language": "de-AT"})
    page = await ada.wire.get(ada.path("p"), headers={"accept-language": "en"})
    assert '<html lang="de">' in page.text
    nameless = await ada.wire.get(ada.path("p", user_id=None), headers={"accept-language": "de-CH, en;q=0.5"})
    assert '<html lang="de">' in nameless.text


async def test_the_tenant_can_show_a_person_their_page(alice: Caller, ada: Person, settings: Settings) -> None:
    url = (await alice.get("/contacts/ada/preferences"))["page_url"]
    assert url.startswith(f"{settings.public_url}/p/")
    form = b"shown=marketing&was=marketing&shown=email.news&was=email.news&on=marketing"
    assert (await ada.wire.post(url.removeprefix(settings.public_url), content=form, headers=FORM)).status_code == 200
    assert await said(alice) == ([("news", "email", False)], None)


async def test_a_body_has_an_end(ada: Person) -> None:
    assert (await ada.post("u", b"x" * 600_000)).status_code == 413


async def test_many_at_once(alice: Caller, ada: Person) -> None:
    """Mail programs, people and the tenant write about one person at the same time, while messages wait."""
    for _ in range(3):
        await alice.sent(user_id="ada", notification_type="news", metadata={})
    form = b"shown=marketing&shown=email.news&pause=week"
    about = "/api/v1/contacts/ada"
    answers = await asyncio.gather(
        *(ada.post("u") for _ in range(4)),
        *(ada.post("u", notification_type=None) for _ in range(4)),
        *(ada.post("p", form) for _ in range(4)),
        *(alice.wire.put(about, json={"language": "en"}) for _ in range(4)),
        *(alice.wire.put(f"{about}/preferences", json={"paused_until": "forever"}) for _ in range(4)),
    )
    assert {answer.status_code for answer in answers} == {200}
    assert (await alice.get("/contacts/ada"))["consent"]["marketing"]["email"]["given"] is False
