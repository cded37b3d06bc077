"""What was accepted can be read back: one, many, page by page, and its whole story."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as examples

from postroom.database.engine import Database
from postroom.identity import NOTIFICATION, new_id, parse_id
from postroom.notifications import record
from tests.api.conftest import Caller, problem


async def write(database: Database, caller: Caller, statement: str, notification: str, **given: Any) -> None:
    async with database.tenant_transaction(caller.tenant.id) as connection:
        await connection.execute(statement.encode(), {"id": parse_id(NOTIFICATION, notification), **given})


DELIVERY = """
INSERT INTO deliveries (tenant_id, notification_id, position, channel, address, state, reason, attempt, provider,
                        expires_at)
SELECT tenant_id, id, 0, 'email', 'ada@shop.de', 'deferred', 'temporary_refusal', 1, 'mail.shop.de', expires_at
FROM notifications WHERE id = %(id)s
"""
ATTEMPTS = """
INSERT INTO delivery_attempts (delivery_id, tenant_id, attempt, event, provider, code, enhanced, detail)
SELECT d.id, d.tenant_id, 1, e.event, 'mail.shop.de', e.code, e.enhanced, e.detail
FROM deliveries d, (VALUES ('marked', NULL::int, NULL, NULL), ('deferred', 451, '4.7.1', 'temporary_refusal: later'))
    AS e (event, code, enhanced, detail)
WHERE d.notification_id = %(id)s
"""
EVENT = """
INSERT INTO notification_events (notification_id, tenant_id, kind, reason, detail)
SELECT id, tenant_id, 'skipped', 'suppressed', '{"channel": "email"}' FROM notifications WHERE id = %(id)s
"""
CARRIER = """
INSERT INTO carriers (id, tenant_id, workflow_id, priority, channel, kind, size, wake_by)
SELECT %(carrier)s, tenant_id, 'notification/' || %(slug)s || '/x', 2, 'email', 'alone', 1, now() FROM notifications
WHERE id = %(id)s
"""
CARRY = "UPDATE notifications SET carrier_id = %(carrier)s WHERE id = %(id)s"
END = "UPDATE notifications SET state = 'failed', reason = 'retries_exhausted', ended_at = now() WHERE id = %(id)s"


async def test_a_move_is_told_with_its_time_and_cancelling_before_its_end(alice: Caller) -> None:
    one = await alice.sent(delay=3600)
    assert "to be sent at" in (await alice.get(f"/notifications/{one}/timeline"))["entries"][0]["summary"]
    moved = datetime.now(UTC) + timedelta(minutes=70)
    await alice.post(f"/notifications/{one}/reschedule", {"scheduled_at": moved.isoformat()})
    await alice.post(f"/notifications/{one}/cancel", {})
    told = [entry["summary"] for entry in (await alice.get(f"/notifications/{one}/timeline"))["entries"]]
    assert told == [
        "Accepted with medium priority for e-mail.",
        f"Rescheduled to {moved:%Y-%m-%d %H:%M:%S} UTC.",
        "Cancelled on request; nothing was being handed off.",
        "Finished: cancelled.",
    ]


async def test_the_story_is_told_in_order(alice: Caller, database: Database) -> None:
    one, carrier = await alice.sent(priority="high"), new_id()
    async with database.system_transaction() as connection:
        given = {"id": parse_id(NOTIFICATION, one), "carrier": carrier, "slug": alice.tenant.slug}
        await connection.execute(CARRIER, given)
        await connection.execute(CARRY, given)
    for statement in (DELIVERY, ATTEMPTS, EVENT, END):
        await write(database, alice, statement, one)
    story = await alice.get(f"/notifications/{one}/timeline")
    assert story["status"] == "failed"
    assert [entry["kind"] for entry in story["entries"]] == [
        "accepted",
        "carried",
        "attempt_marked",
        "attempt_deferred",
        "skipped",
        "failed",
    ]
    summaries = [entry["summary"] for entry in story["entries"]][2:]
    refusal, _, promise = summaries[1].partition(" The next attempt is due at ")
    assert promise.endswith(" UTC.")
    assert [summaries[0], refusal, *summaries[2:]] == [
        "Attempt 1 began: the message is being handed to mail.shop.de over e-mail.",
        "Mail.shop.de refused attempt 1 for now (reply 451 4.7.1).",
        "Not sent over e-mail, because the address is on the suppression list.",
        "Finished: failed, because every attempt was refused.",
    ]
    assert story["entries"][3]["reason"] == "temporary_refusal"
    assert story["carrier"]["url"] == (
        f"http://temporal.example/namespaces/default/workflows/notification%2F{alice.tenant.slug}%2Fx"
    )
    delivery = (await alice.get(f"/notifications/{one}"))["deliveries"][0]
    assert (delivery["state"], delivery["address"], delivery["attempts"]) == ("deferred", "ada@shop.de", 1)


HERE = """
INSERT INTO deliveries (tenant_id, notification_id, position, channel, state, reason, attempt, provider, expires_at)
SELECT tenant_id, id, %(position)s, %(channel)s, %(state)s, %(reason)s, 1, %(provider)s, expires_at
FROM notifications WHERE id = %(id)s
"""
TRIED = """
INSERT INTO delivery_attempts (delivery_id, tenant_id, attempt, event, provider, detail)
SELECT d.id, d.tenant_id, 1, e, d.provider, %(detail)s
FROM deliveries d, unnest(%(events)s::text[]) e WHERE d.notification_id = %(id)s AND d.position = %(position)s
"""


async def test_nobody_is_blamed_for_what_never_left_and_an_inbox_is_no_provider(
    alice: Caller, database: Database
) -> None:
    one = await alice.sent(channel=None, channels=["email", "in_app"], user_id="ada")
    unbuilt = {"position": 0, "channel": "email", "state": "rejected", "reason": "unbuildable_message"}
    await write(database, alice, HERE, one, **unbuilt, provider=None)
    detail = "unbuildable_message: invalid_sender: The sender is not one plain e-mail address."
    await write(database, alice, TRIED, one, position=0, events=["rejected"], detail=detail)
    kept = {"position": 1, "channel": "in_app", "state": "accepted", "reason": "accepted", "provider": "inbox"}
    await write(database, alice, HERE, one, **kept)
    await write(database, alice, TRIED, one, position=1, events=["marked", "accepted"], detail=None)
    told = [entry["summary"] for entry in (await alice.get(f"/notifications/{one}/timeline"))["entries"]]
    assert told[1:] == [
        "Attempt 1 ended before the message left, because it could not be made into a message.",
        "Attempt 1 began: the message is being handed to the in-app inbox.",
        "The in-app inbox accepted the message at attempt 1.",
    ]


async def test_pages_join_without_gap_or_repetition(alice: Caller) -> None:
    all_of_them = [await alice.sent() for _ in range(11)][::-1]
    for limit in (1, 2, 3, 5, 10, 11, 200):
        seen, cursor = [], None
        while True:
            page = await alice.get("/notifications", limit=limit, **({"cursor": cursor} if cursor else {}))
            seen += [one["id"] for one in page["items"]]
            if (cursor := page["next_cursor"]) is None:
                break
        assert seen == all_of_them


async def test_filters_narrow(alice: Caller) -> None:
    plain = await alice.sent()
    urgent = await alice.sent(priority="critical", user_id="ada", **{"class": "security"})
    later = await alice.sent(delay=3600, notification_type="digest")
    inbox = await alice.sent(channel="in_app", user_id="ada")
    expected: list[tuple[dict[str, str], list[str]]] = [
        ({}, [inbox, later, urgent, plain]),
        ({"status": "scheduled"}, [later]),
        ({"status": "pending"}, [inbox, urgent, plain]),
        ({"status": "sent"}, []),
        ({"priority": "critical"}, [urgent]),
        ({"class": "security"}, [urgent]),
        ({"channel": "in_app"}, [inbox]),
        ({"user_id": "ada"}, [inbox, urgent]),
        ({"user_id": "ada", "channel": "email"}, [urgent]),
        ({"notification_type": "digest"}, [later]),
        ({"created_after": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}, [inbox, later, urgent, plain]),
        ({"created_before": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}, []),
    ]
    for query, ids in expected:
        assert [one["id"] for one in (await alice.get("/notifications", **query))["items"]] == ids, query
    assert [one["id"] for one in (await alice.get("/users/ada/notifications"))["items"]] == [inbox, urgent]


@pytest.mark.parametrize(
    ("query", "code", "place"),
    [
        ({"limit": "0"}, "out_of_range", "limit"),
        ({"limit": "201"}, "out_of_range", "limit"),
        ({"limit": "many"}, "wrong_type", "limit"),
        ({"status": "gone"}, "unknown_value", "status"),
        ({"created_after": "yesterday"}, "invalid_time", "created_after"),
        ({"created_after": "2026-01-01T00:00:00"}, "offset_required", "created_after"),
        ({"user_id": "a\0"}, "invalid_characters", "user_id"),
        ({"user": "ada"}, "unknown_parameter", "user"),
    ],
)
async def test_questions_that_make_no_sense(alice: Caller, query: dict[str, str], code: str, place: str) -> None:
    assert problem(await alice.wire.get("/api/v1/notifications", params=query)) == (422, code, [place])


async def test_a_cursor_continues_its_own_question_only(alice: Caller) -> None:
    for _ in range(3):
        await alice.sent(user_id="ada")
    cursor = (await alice.get("/notifications", limit=1))["next_cursor"]
    for query in (
        {"cursor": cursor, "priority": "high"},
        {"cursor": cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")},
        {"cursor": "x"},
        {"cursor": "äöü"},
    ):
        answer = await alice.wire.get("/api/v1/notifications", params=query)
        assert problem(answer) == (422, "invalid_cursor", []), query
    other = await alice.wire.get("/api/v1/users/ada/notifications", params={"cursor": cursor})
    assert problem(other) == (422, "invalid_cursor", [])


@examples(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=strategies.text(min_size=1, max_size=60).filter(lambda text: text not in {".", ".."}))
async def test_any_text_is_no_id_and_no_fault(alice: Caller, text: str) -> None:
    for path in ("/notifications/{}", "/notifications/{}/status"):
        url = alice.wire.base_url.copy_with(raw_path=f"/api/v1{path}".replace("{}", quoted(text)).encode())
        answer = await alice.wire.get(url)
        assert answer.status_code in {404, 405, 422}, answer.text


async def test_a_list_that_takes_too_long_is_refused(
    alice: Caller, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "LIST_SECONDS", 1)
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("LOCK TABLE notifications IN ACCESS EXCLUSIVE MODE")
        answer = await alice.wire.get("/api/v1/notifications")
    assert problem(answer) == (422, "query_too_expensive", [])
    assert (await alice.wire.get("/api/v1/notifications")).status_code == 200


def quoted(text: str) -> str:
    return quote(text.encode("utf-8", "replace"), safe="")


@pytest.mark.parametrize(
    "one", ["notif_x", "notif_" + "G" * 32, "notif_" + "A" * 32, "dlv_" + "0" * 32, UUID(int=1).hex]
)
async def test_malformed_ids_name_nothing(alice: Caller, one: str) -> None:
    for path in ("", "/status", "/timeline"):
        assert problem(await alice.wire.get(f"/api/v1/notifications/{one}{path}")) == (404, "not_found", [])


@pytest.mark.parametrize(("method", "path"), [("GET", "/jobs"), ("POST", "/notifications"), ("GET", "/contacts/ada")])
async def test_a_parameter_nothing_reads_is_refused(alice: Caller, method: str, path: str) -> None:
    answer = await alice.wire.request(method, f"/api/v1{path}", params={"dry_run": "true"})
    assert problem(answer) == (422, "unknown_parameter", ["dry_run"])
