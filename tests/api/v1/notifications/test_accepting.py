"""A notification is accepted once it is in the record, or refused with the place and the reason."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.identity import NOTIFICATION, parse_id
from tests.api.conftest import LETTER, Caller, problem

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def file(data: bytes = PNG, **changes: Any) -> dict[str, Any]:
    plain = {"filename": "a.png", "content_type": "image/png", "content": base64.b64encode(data).decode()}
    return plain | changes


def soon(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


async def test_the_answer_names_the_notification_and_where_to_look(alice: Caller) -> None:
    answer = await alice.send()
    body = answer.json()
    assert answer.status_code == 202
    assert body["status"] == "pending"
    assert body["created_at"] == body["due_at"]
    assert answer.headers["location"] == body["links"]["self"] == f"/api/v1/notifications/{body['id']}"
    assert (await alice.get(f"/notifications/{body['id']}/status"))["status"] == "pending"


async def test_the_older_name_of_the_route_does_the_same(alice: Caller) -> None:
    answer = await alice.post("/notifications/send", {**LETTER, "tenant_id": alice.tenant.slug, "user_id": "ada"})
    assert answer.status_code == 202
    assert answer.json()["id"].startswith("notif_")


async def test_everything_given_is_kept(alice: Caller) -> None:
    asked = {
        "channel": None,
        "channels": ["in_app", "email"],
        "strategy": "all",
        "priority": "critical",
        "class": "security",
        "user_id": "ada",
        "notification_type": "login",
        "title": "Grüße — 你好",
        "content": {"text": "plain", "html": "<b>rich</b>"},
        "metadata": {"email": "ada@shop.de", "nested": {"list": [1, 2.5, None, True, "x"]}},
        "attachments": [
            file(),
            file(content_id="logo"),
            file(b"%PDF-1.7", filename="b.pdf", content_type="application/pdf"),
        ],
    }
    kept = await alice.get(f"/notifications/{await alice.sent(**asked)}")
    for name in (
        "channels",
        "strategy",
        "priority",
        "class",
        "user_id",
        "notification_type",
        "title",
        "content",
        "metadata",
    ):
        assert kept[name] == asked[name], name
    assert [(one["filename"], one["content_id"], one["size"]) for one in kept["attachments"]] == [
        ("a.png", None, 28),
        ("a.png", "logo", 28),
        ("b.pdf", None, 8),
    ]
    assert kept["channel"] == "in_app"


async def test_equal_files_are_stored_once(alice: Caller, database: Database) -> None:
    for _ in range(3):
        await alice.sent(attachments=[file(), file(filename="b.png")])
    async with database.tenant_transaction(alice.tenant.id) as connection:
        row = await (await connection.execute("SELECT count(*) AS blobs FROM blobs")).fetchone()
    assert row == {"blobs": 1}


async def test_defaults_come_from_class_and_priority_at_the_scale(alice: Caller, database: Database) -> None:
    ids = [await alice.sent(**{"class": one}) for one in ("security", "transactional")]
    lives = []
    for one in ids:
        read = await alice.get(f"/notifications/{one}")
        lives.append(datetime.fromisoformat(read["expires_at"]) - datetime.fromisoformat(read["due_at"]))
    assert lives == [timedelta(seconds=36), timedelta(seconds=2592)]
    async with database.tenant_transaction(alice.tenant.id) as connection:
        row = await (
            await connection.execute(
                "SELECT fallback_after, api_key_id IS NOT NULL AS keyed FROM notifications WHERE id = %s",
                (parse_id(NOTIFICATION, ids[0]),),
            )
        ).fetchone()
    assert row == {"fallback_after": timedelta(seconds=18), "keyed": True}


async def test_a_delay_counts_from_the_moment_of_acceptance(alice: Caller) -> None:
    for delay in (90, "PT1M30S"):
        body = (await alice.send(delay=delay)).json()
        waits = datetime.fromisoformat(body["due_at"]) - datetime.fromisoformat(body["created_at"])
        assert (body["status"], waits) == ("scheduled", timedelta(seconds=90))
        assert (await alice.get(f"/notifications/{body['id']}"))["due_at"] == body["due_at"]


async def test_a_local_time_is_resolved_in_its_zone(alice: Caller) -> None:
    july = datetime.now(UTC).replace(month=7, day=1) + timedelta(days=365 * (datetime.now(UTC).month >= 7))
    wall = july.strftime("%Y-%m-%dT18:00:00")
    body = (await alice.send(scheduled_at=wall, time_zone="Europe/Paris")).json()
    assert body["due_at"] == wall.replace("T18", "T16") + "Z"


async def test_an_address_given_inline_never_changes_the_contact(alice: Caller) -> None:
    contact = {"addresses": {"email": "home@shop.de"}, "time_zone": None, "language": None}
    await alice.wire.put("/api/v1/contacts/ada", json=contact)
    await alice.sent(user_id="ada", metadata={"email": "other@shop.de"})
    assert (await alice.get("/contacts/ada"))["addresses"] == {"email": "home@shop.de"}


async def test_a_person_without_an_address_is_accepted_because_it_may_come(alice: Caller) -> None:
    assert (await alice.send(user_id="nobody-yet", metadata={})).status_code == 202


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no channel": ({"channel": None}, "channel_required", "/channel"),
    "channel twice": ({"channel": None, "channels": ["email", "email"]}, "duplicate_channel", "/channels"),
    "unknown channel": ({"channel": "fax"}, "unknown_value", "/channel"),
    "both kinds": ({"channels": ["email"]}, "channel_required", "/channel"),
    "unknown priority": ({"priority": "urgent"}, "unknown_value", "/priority"),
    "nobody": ({"metadata": {}}, "recipient_required", "/metadata"),
    "inbox of nobody": ({"channel": "in_app"}, "recipient_required", "/user_id"),
    "unknown field": ({"state": "sent"}, "unknown_field", "/state"),
    "template": ({"template_id": "tmpl_1"}, "template_or_content", "/title"),
    "odd field name": ({"a/b~c": 1}, "unknown_field", "/a~1b~0c"),
    "many people": ({"user_ids": ["a", "b"]}, "unknown_field", "/user_ids"),
    "many addresses": ({"metadata": {"email": ["a@shop.de", "b@shop.de"]}}, "too_many_recipients", "/metadata/email"),
    "address list": ({"metadata": {"email": "a@shop.de,b@shop.de"}}, "invalid_recipient", "/metadata/email"),
    "smtp injection": ({"metadata": {"email": "a@b.com\r\nRCPT TO:<z@z>"}}, "invalid_recipient", "/metadata/email"),
    "address is a number": ({"metadata": {"email": 7}}, "invalid_recipient", "/metadata/email"),
    "local domain": ({"metadata": {"email": "a@localhost"}}, "recipient_domain_not_allowed", "/metadata/email"),
    "header injection": ({"title": "Hi\r\nBcc: x@evil.example"}, "header_injection", "/title"),
    "line separator": ({"title": "Hi\u2028there"}, "header_injection", "/title"),
    "NUL title": ({"title": "Hi\0"}, "header_injection", "/title"),
    "long title": ({"title": "x" * 999}, "header_too_long", "/title"),
    "no title": ({"title": ""}, "too_short", "/title"),
    "no content": ({"content": {}}, "field_required", "/content"),
    "empty content": ({"content": ""}, "field_required", "/content"),
    "content is a number": ({"content": 7}, "wrong_type", "/content"),
    "NUL content": ({"content": "a\0b"}, "invalid_characters", "/content/text"),
    "NUL user": ({"user_id": "a\0b"}, "invalid_characters", "/user_id"),
    "long user": ({"user_id": "u" * 65}, "too_long", "/user_id"),
    "NUL in metadata": ({"metadata": {"email": "ada@shop.de", "k": ["a\0"]}}, "invalid_characters", "/metadata"),
    "NUL in a name": ({"metadata": {"email": "ada@shop.de", "k\0": 1}}, "invalid_characters", "/metadata"),
    "huge number": ({"metadata": {"email": "ada@shop.de", "n": 10**400}}, "number_out_of_range", "/metadata"),
    "huge metadata": ({"metadata": {"email": "ada@shop.de", "x": "x" * 20_000}}, "metadata_too_large", "/metadata"),
    "many small things": (
        {"metadata": {"email": "ada@shop.de", "x": [[1] * 1_000] * 1_000}},
        "metadata_too_large",
        "/metadata",
    ),
    "metadata is a list": ({"metadata": [1]}, "wrong_type", "/metadata"),
    "past": ({"scheduled_at": "2020-01-01T00:00:00Z"}, "scheduled_in_past", "/scheduled_at"),
    "far": ({"scheduled_at": "9999-12-31T23:59:59Z"}, "scheduled_too_far", "/scheduled_at"),
    "beyond time": ({"scheduled_at": "9999-12-31T23:59:59-14:00"}, "invalid_time", "/scheduled_at"),
    "leap second": ({"scheduled_at": "2026-12-31T23:59:60Z"}, "invalid_time", "/scheduled_at"),
    "sixty minutes east": ({"scheduled_at": "2027-01-01T00:00:00+00:60"}, "invalid_time", "/scheduled_at"),
    "epoch seconds": ({"scheduled_at": 1_800_000_000}, "invalid_time", "/scheduled_at"),
    "no offset": ({"scheduled_at": "2027-01-01T00:00:00"}, "offset_required", "/scheduled_at"),
    "zone of Mars": ({"scheduled_at": "2027-01-01T00:00:00", "time_zone": "Mars/X"}, "unknown_time_zone", "/time_zone"),
    "zone and offset": ({"scheduled_at": soon(days=1), "time_zone": "Europe/Paris"}, "schedule_conflict", "/time_zone"),
    "time and delay": ({"scheduled_at": soon(days=1), "delay": 5}, "schedule_conflict", "/delay"),
    "negative delay": ({"delay": -1}, "invalid_duration", "/delay"),
    "months": ({"delay": "P1M"}, "invalid_duration", "/delay"),
    "true delay": ({"delay": True}, "invalid_duration", "/delay"),
    "long delay": ({"delay": "P400D"}, "scheduled_too_far", "/delay"),
    "ends too soon": ({"delay": 100, "expires_at": soon(seconds=90)}, "expires_before_due", "/expires_at"),
    "ended": ({"expires_at": soon(seconds=-5)}, "expires_before_due", "/expires_at"),
    "fall back to nothing": ({"fallback_after": 5}, "fallback_needs_channels", "/fallback_after"),
    "fall back next month": (
        {"channel": None, "channels": ["email", "in_app"], "user_id": "ada", "fallback_after": "P8D"},
        "out_of_range",
        "/fallback_after",
    ),
    "other tenant": ({"tenant_id": "someone-else"}, "tenant_mismatch", "/tenant_id"),
    "empty file": ({"attachments": [file(b"")]}, "attachment_empty", "/attachments/0/content"),
    "garbled file": ({"attachments": [file() | {"content": "@@@"}]}, "invalid_base64", "/attachments/0/content"),
    "program": ({"attachments": [file(b"MZ\x90\0")]}, "attachment_type_not_allowed", "/attachments/0"),
    "script": ({"attachments": [file(filename="a.js")]}, "attachment_type_not_allowed", "/attachments/0"),
    "page as image": ({"attachments": [file(b"<html><script>")]}, "attachment_type_not_allowed", "/attachments/0"),
    "path": ({"attachments": [file(filename="../a.png")]}, "invalid_filename", "/attachments/0/filename"),
    "file name": ({"attachments": [file(filename="a\r\nb")]}, "header_injection", "/attachments/0/filename"),
    "content ids": ({"attachments": [file(content_id="a")] * 2}, "duplicate_content_id", "/attachments"),
    "inbox with files": (
        {"channel": "in_app", "user_id": "ada", "attachments": [file()]},
        "attachments_need_email",
        "/attachments",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "code", "place"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_is_refused(alice: Caller, changes: dict[str, Any], code: str, place: str) -> None:
    body = {name: value for name, value in {**LETTER, **changes}.items() if value is not None}
    assert problem(await alice.post("/notifications", body)) == (422, code, [place])


@pytest.mark.parametrize(
    "raw",
    [
        b'{"title": "\\ud800", "channel": "email", "content": "x", "metadata": {"email": "ada@shop.de"}}',
        b'{"title": "x", "channel": "email", "content": "x", "metadata": {"email": "ada@shop.de", "n": NaN}}',
        b'{"title": "x", "channel": "email", "content": "x", "metadata": {"email": "ada@shop.de", "n": 1e999}}',
        b'{"title": "x", "metadata": ' + b'{"a":' * 500 + b"1" + b"}" * 501,
        b"[" * 100_000,
        b'{"title": "\xff"}',
        b'{"\\ud800": 1}',
        b"[]",
        b'"text"',
        b"null",
    ],
)
async def test_no_body_is_ever_our_fault(alice: Caller, raw: bytes) -> None:
    answer = await alice.wire.post(
        "/api/v1/notifications", content=raw, headers={"Content-Type": "application/json", "Idempotency-Key": "odd"}
    )
    status, code, _ = problem(answer)
    assert status in {400, 422}, code


async def test_files_over_the_cap_are_too_large(alice: Caller) -> None:
    answer = await alice.send(
        attachments=[file(b"%PDF-" + bytes(6_000_000), filename="a.pdf", content_type="application/pdf")] * 2
    )
    assert problem(answer)[:2] == (413, "payload_too_large")


async def test_several_wrong_fields_are_all_named(alice: Caller) -> None:
    answer = await alice.send(priority="urgent", extra=1)
    assert problem(answer) == (422, "invalid_request", ["/priority", "/extra"])
