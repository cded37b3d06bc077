"""Previews, preflights and tests of a template, through the API."""

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from postroom.database.engine import Database
from tests.api.conftest import Caller
from tests.fixtures.rows import change, rows

SHIPPED: Mapping[str, Any] = {
    "name": "shipped",
    "channel": "email",
    "language": "en",
    "variants": [
        {
            "name": "plain",
            "weight": 1,
            "languages": {
                "en": {"title": "Order {{ number }}", "text": "Hi {{ name }}, {{ contact.city | default('there') }}."},
                "de": {
                    "title": "Bestellung {{ number }}",
                    "html": '<p>Hallo {{ name }}</p>\n<a href="{{ url }}">Sendung</a>',
                },
            },
        },
        {"name": "short", "weight": 0, "languages": {"en": {"title": "{{ number }}", "text": "On its way."}}},
    ],
    "variables": [
        {"name": "number"},
        {"name": "name", "default": "you"},
        {"name": "url", "default": "https://a.example"},
    ],
}


async def made(caller: Caller, **changes: Any) -> str:
    answer = await caller.post("/templates", {**SHIPPED, **changes})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def refused(answer: httpx2.Response, status: int) -> Any:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    return answer.json()


async def rehearsed(caller: Caller, path: str, **body: Any) -> Any:
    answer = await caller.post(path, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_draft_is_previewed_by_name_and_by_id(alice: Caller) -> None:
    one = await made(alice)
    for ref in ("shipped", one):
        shown = await rehearsed(alice, f"/templates/{ref}/preview", variables={"number": 7, "name": "<Ada>"})
        assert (shown["title"], shown["text"], shown["html"]) == ("Order 7", "Hi <Ada>, there.", None)
        assert (shown["variant"], shown["language"], shown["text_is_derived"]) == ("plain", "en", False)
        assert shown["sizes"] == {
            "title": 7,
            "text": 16,
            "html": 0,
            "sms_alphabet": "gsm-7",
            "sms_units": 16,
            "sms_segments": 1,
        }


async def test_html_is_escaped_has_a_text_and_says_how_to_show_it(alice: Caller) -> None:
    await made(alice)
    shown = await rehearsed(
        alice,
        "/templates/shipped/preview",
        variables={"number": 7, "name": "<b>", "url": "javascript:alert(1)"},
        language="de-CH",
    )
    assert shown["html"] == '<p>Hallo &lt;b&gt;</p>\n<a href="about:blank">Sendung</a>'
    assert shown["text_is_derived"]
    assert shown["text"].startswith("Hallo <b>")
    assert shown["language"] == "de"
    policy = shown["html_headers"]["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "allow-scripts" not in policy


async def test_a_contact_brings_language_zone_and_attributes(alice: Caller, database: Database) -> None:
    await made(alice)
    await change(
        database,
        "INSERT INTO contacts (tenant_id, user_id, addresses, language, attributes) "
        "VALUES (%s, 'ada', '{}', 'en-GB', '{\"city\": \"York\"}')",
        alice.tenant.id,
    )
    shown = await rehearsed(alice, "/templates/shipped/preview", variables={"number": 7}, user_id="ada")
    assert shown["text"] == "Hi you, York."
    nobody = await alice.post("/templates/shipped/preview", {"variables": {"number": 7}, "user_id": "nobody"})
    assert refused(nobody, 422)["code"] == "contact_not_found"


async def test_what_is_not_saved_is_previewed_and_nothing_is_kept(alice: Caller) -> None:
    shown = await rehearsed(alice, "/templates/preview", template=SHIPPED, variables={"number": 7}, variant="short")
    assert (shown["title"], shown["variant"]) == ("7", "short")
    assert (await alice.get("/templates"))["items"] == []


async def test_a_missing_variable_is_named_with_its_place(alice: Caller) -> None:
    await made(alice)
    answer = refused(await alice.post("/templates/shipped/preview", {"variant": "short"}), 422)
    assert answer["code"] == "template_undefined"
    assert answer["errors"] == [
        {
            "pointer": "/variants/1/languages/en/title",
            "code": "template_undefined",
            "detail": "number: This has no value.",
            "line": 1,
            "column": 4,
        }
    ]


async def test_a_preflight_looks_at_every_variant_and_language(alice: Caller) -> None:
    await made(alice)
    flight = await rehearsed(
        alice, "/templates/shipped/preflight", variables={"number": "7", "url": "javascript:alert(1)"}
    )
    assert not flight["ok"]
    found = {(one["code"], one["variant"], one["language"], one["severity"]) for one in flight["remarks"]}
    assert found == {
        ("language_missing", "short", "de", "warning"),
        ("link_broken", "plain", "de", "error"),
    }
    spoken = {(one["variant"], one["language"]) for one in flight["spoken"]}
    assert spoken == {("plain", "en"), ("plain", "de"), ("short", "en")}
    lacking = await rehearsed(alice, "/templates/shipped/preflight")
    assert {(one["code"], one["line"]) for one in lacking["remarks"]} >= {("template_undefined", 1)}


@pytest.mark.parametrize(
    ("html", "code", "line"),
    [
        ('<p>\n<a href="">x</a></p>', "link_empty", 2),
        ('<a href="/orders">x</a>', "link_relative", 1),
        ('\n<a href="javascript:void(0)">x</a>', "link_broken", 2),
        ('<a href="https://a.example">x', "link_unbalanced", 1),
        ("<p>\n\n<img src='https://a.example/a.png'></p>", "image_without_alt", 3),
        ('<img alt="" src="a.png">', "image_relative", 1),
        ("<p>" + "word " * 25_000 + "</p>", "html_clipped", None),
    ],
)
async def test_a_preflight_finds(alice: Caller, html: str, code: str, line: int | None) -> None:
    template = {"name": "x", "channel": "email", "title": "x", "content": {"html": html}}
    flight = await rehearsed(alice, "/templates/preflight", template=template)
    assert [(one["code"], one["line"]) for one in flight["remarks"]] == [(code, line)]


async def test_a_test_goes_to_oneself_marked_and_draft_or_not(alice: Caller, database: Database) -> None:
    await made(alice)
    body = {"to": "me@shop.de", "variables": {"number": 7}, "version": 1}
    answer = await alice.post("/templates/shipped/test-send", body, idempotency_key="one")
    assert answer.status_code == 202, answer.text
    again = await alice.post("/templates/shipped/test-send", body, idempotency_key="one")
    assert again.json() == answer.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    whole = await alice.get(f"/notifications/{answer.json()['id']}")
    assert whole["title"] == "[Test] Order 7"
    [row] = await rows(database, "SELECT * FROM notification_contents WHERE tenant_id = %s", alice.tenant.id)
    assert (row["metadata"], row["template_id"], row["body_text"]) == ({"email": "me@shop.de"}, None, "Hi you, there.")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "recipient_required"),
        ({"to": "a@shop.de", "user_id": "ada"}, "recipient_required"),
        ({"to": "a@localhost"}, "recipient_domain_not_allowed"),
        ({"to": "a@shop.de", "variant": "none"}, "variant_not_found"),
        ({"to": "a@shop.de", "whom": "b"}, "unknown_field"),
    ],
)
async def test_a_test_to_nobody_is_refused(alice: Caller, body: Mapping[str, Any], code: str) -> None:
    await made(alice)
    answer = await alice.post("/templates/shipped/test-send", {"variables": {"number": 7}, **body})
    assert refused(answer, 422)["code"] == code


@pytest.mark.parametrize("action", ["preview", "preflight", "test-send"])
async def test_another_tenants_template_is_not_there(alice: Caller, decoy: Caller, action: str) -> None:
    theirs = await made(decoy)
    for ref in (theirs, "shipped"):
        body = {"variables": {"number": 7}} | ({"to": "a@shop.de"} if action == "test-send" else {})
        assert refused(await alice.post(f"/templates/{ref}/{action}", body), 404)["code"] == "not_found"
    await made(alice)
    too_late = {"version": 9} | ({"to": "a@shop.de"} if action == "test-send" else {})
    assert refused(await alice.post(f"/templates/shipped/{action}", too_late), 404)["code"] == "not_found"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("{{ 9**(9**8) }}", "template_too_expensive"),
        ("{{ ''.__class__ }}", "template_unsafe"),
        ("a\n{{ name | uper }}", "template_undefined"),
        ("{% if name %}", "template_syntax"),
        ("{% if name %}" * 2_000, "template_too_complex"),
    ],
)
async def test_a_hostile_template_is_not_saved(alice: Caller, source: str, code: str) -> None:
    body = {"name": "bad", "channel": "email", "title": "x", "content": source}
    answer = refused(await alice.post("/templates", body), 422)
    assert answer["code"] == code
    assert answer["errors"][0]["pointer"] == "/content/text"
    assert (await alice.get("/templates"))["items"] == []


async def test_the_recipients_own_links_are_samples_in_a_preview(alice: Caller) -> None:
    template = {"name": "x", "channel": "email", "title": "x", "content": "{{ unsubscribe_url }} {{ preferences_url }}"}
    shown = await rehearsed(alice, "/templates/preview", template=template)
    assert shown["text"] == "http://127.0.0.1:8000/u/preview http://127.0.0.1:8000/p/preview"
