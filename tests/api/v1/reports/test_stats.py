"""Statistics: counted from the rows, by time and group, one's own only, and bounded."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from postroom.database.engine import Database
from tests.api.conftest import Caller, problem
from tests.api.v1.jobs.test_routes import begun, end, members
from tests.api.v1.notifications.test_batch import batch, people

DELIVERY = """
INSERT INTO deliveries (tenant_id, notification_id, position, channel, state, reason, provider, expires_at, ended_at)
SELECT tenant_id, id, %(position)s, %(channel)s, %(state)s, %(reason)s, %(provider)s, expires_at,
       created_at + interval '2 seconds'
FROM notifications WHERE id = ANY(%(ids)s)
"""


async def delivered(database: Database, ids: list[UUID], **row: Any) -> None:
    given = {"ids": ids, "position": 0, "reason": None, "provider": None, **row}
    async with database.system_transaction() as connection:
        await connection.execute(DELIVERY, given)


async def aged(database: Database, ids: list[UUID], age: timedelta) -> None:
    """Make rows as old as this: their time and, as it begins with it, their id."""
    async with database.system_transaction() as connection:
        for one in ids:
            older = UUID(int=one.int - (int(age.total_seconds() * 1000) << 80))
            await connection.execute("DELETE FROM notification_contents WHERE notification_id = %s", (one,))
            await connection.execute(
                "UPDATE notifications SET id = %s, created_at = created_at - %s WHERE id = %s", (older, age, one)
            )


def by(answer: dict[str, Any], *names: str) -> dict[Any, int]:
    found = {tuple(line["group"][name] for name in names): line["count"] for line in answer["items"]}
    assert sum(found.values()) == answer["total"]
    return found


async def test_notifications_by_state_reason_type_priority(alice: Caller, decoy: Caller, database: Database) -> None:
    await begun(decoy, 5)
    job = await begun(alice, 6, notification_type="hours", priority="high", channels=["in_app"])
    ids = await members(database, job)
    await end(database, ids[:3], "sent", "accepted")
    await end(database, ids[3:5], "failed", "mailbox_unknown")
    await alice.sent()
    stats = await alice.get("/stats", group_by=["state", "reason"])
    assert by(stats, "state", "reason") == {
        ("sent", "accepted"): 3,
        ("failed", "mailbox_unknown"): 2,
        ("open", None): 2,
    }
    stats = await alice.get("/stats", group_by=["channel", "type", "priority"], bucket="day", time_zone="Asia/Tokyo")
    assert by(stats, "channel", "type", "priority") == {("in_app", "hours", "high"): 6, ("email", None, "medium"): 1}
    assert (await alice.get("/stats"))["total"] == 7
    assert (await decoy.get("/stats"))["total"] == 5
    [line] = (await decoy.get("/stats", bucket="day"))["items"]
    assert (line["group"], line["count"], line["latency"]) == ({}, 5, {"p50": None, "p95": None})


async def test_deliveries_by_provider_and_how_long_acceptance_took(alice: Caller, database: Database) -> None:
    ids = await members(database, await begun(alice, 5))
    await delivered(database, ids, channel="email", state="rejected", provider="one", reason="permanent_refusal")
    await delivered(database, ids[:4], channel="in_app", state="accepted", position=1, provider="inbox")
    stats = await alice.get("/stats", count="deliveries", group_by=["channel", "provider", "state"])
    assert by(stats, "channel", "provider", "state") == {
        ("email", "one", "rejected"): 5,
        ("in_app", "inbox", "accepted"): 4,
    }
    assert [line["latency"] for line in stats["items"]] == [{"p50": None, "p95": None}, {"p50": 2.0, "p95": 2.0}]
    assert stats["total"] == 9
    assert (await alice.get("/stats"))["total"] == 5


async def test_buckets_begin_where_the_zone_says_and_ranges_are_half_open(alice: Caller, database: Database) -> None:
    ids = await members(database, await begun(alice, 4))
    await aged(database, ids[:1], timedelta(days=1))
    await aged(database, ids[1:2], timedelta(days=3))
    now = datetime.now(UTC)
    start = now - timedelta(days=5)
    stats = await alice.get("/stats", **{"from": start.isoformat(), "bucket": "day", "time_zone": "Asia/Kolkata"})
    assert stats["total"] == 4
    starts = [datetime.fromisoformat(line["at"]) for line in stats["items"]]
    assert starts == sorted(starts)
    assert {(moment.hour, moment.minute) for moment in starts} == {(18, 30)}
    whole = await alice.get("/notifications")
    assert len(whole["items"]) == 4
    edge = next(one["created_at"] for one in whole["items"] if one["id"] == f"notif_{ids[2].hex}")
    until = await alice.get("/stats", **{"from": start.isoformat(), "to": edge, "bucket": "day"})
    since = await alice.get("/stats", **{"from": edge, "bucket": "minute"})
    assert (until["total"], since["total"]) == (2, 2)


@pytest.mark.parametrize(
    ("query", "code", "places"),
    [
        ({"group_by": "colour"}, "unknown_value", ["group_by"]),
        ({"group_by": ["state", "state"]}, "duplicate_grouping", []),
        ({"group_by": "provider"}, "grouping_needs_deliveries", []),
        ({"bucket": "second"}, "unknown_value", ["bucket"]),
        ({"count": "letters"}, "unknown_value", ["count"]),
        ({"time_zone": "Mars/Olympus"}, "unknown_time_zone", ["time_zone"]),
        ({"time_zone": "UTC'; DROP TABLE jobs; --"}, "unknown_time_zone", ["time_zone"]),
        ({"from": "yesterday"}, "invalid_time", ["from"]),
        ({"from": "2026-11-20T10:00:00"}, "offset_required", ["from"]),
        ({"from": "2026-11-20T10:00:00Z", "to": "2026-11-20T10:00:00Z"}, "invalid_range", []),
        ({"from": "2026-10-01T00:00:00Z", "to": "2026-11-20T10:00:00Z"}, "range_too_long", []),
        ({"from": "2026-11-18T00:00:00Z", "to": "2026-11-20T10:00:00Z", "bucket": "minute"}, "range_too_long", []),
        ({"to": "0001-01-01T00:00:00Z"}, "invalid_range", []),
    ],
)
async def test_what_cannot_be_asked(alice: Caller, query: dict[str, Any], code: str, places: list[str]) -> None:
    answer = await alice.wire.get("/api/v1/stats", params=query)
    assert problem(answer) == (422, code, places)


async def test_other_times_are_empty(alice: Caller) -> None:
    await alice.post("/notifications/batch", batch(user_ids=people(2)))
    for start, to in (("1960-01-01", "1960-06-01"), ("2020-01-01", "2020-06-01"), ("9999-11-01", "9999-12-31")):
        query = {"from": f"{start}T00:00:00Z", "to": f"{to}T00:00:00Z", "bucket": "day"}
        answer = await alice.get("/stats", **query)
        assert (answer["total"], answer["items"]) == (0, [])
