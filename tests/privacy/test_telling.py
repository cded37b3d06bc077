"""What is told of a person who was erased: that their messages ended, and why, without them."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.identity import new_id
from postroom.policy.telling import told_of
from tests.fixtures.database import Tenants
from tests.fixtures.rows import Draft, accepted, change, notification, rows
from tests.privacy.conftest import Office

EVENTS = "SELECT kind, reason, detail FROM notification_events WHERE notification_id = %s ORDER BY id"


async def test_endpoints_are_told_of_the_end_and_not_of_the_person(
    office: Office, database: Database, tenants: Tenants
) -> None:
    endpoint = """
    INSERT INTO webhook_endpoints (id, tenant_id, url, events, rate_per_minute, secret, secret_key_id, event_life)
    VALUES (%s, %s, 'https://shop.example/hook', '{notification.skipped,notification.sent}', 60, '', '', '1 hour')
    """
    await change(database, endpoint, new_id(), tenants.alice.id)
    one = await accepted(database, Draft(tenants.alice.id))
    await office.erase(tenants.alice, "ada")
    told = "SELECT type, data FROM webhook_messages WHERE tenant_id = %s"
    [event] = await rows(database, told, tenants.alice.id)
    assert (event["type"], event["data"]["notification_id"]) == ("notification.skipped", str(one))
    assert event["data"]["user_id"] is None


async def test_what_endpoints_were_to_be_told_of_the_person_is_not_told_any_more(
    office: Office, database: Database, tenants: Tenants
) -> None:
    event = await accepted(database, Draft(tenants.alice.id, None, (ChannelKind.WEBHOOK,)))
    await change(database, "UPDATE notifications SET origin = 'event' WHERE id = %s", event)
    data: dict[str, Any] = {"user_id": "ada", "status": "sent", "title": "To Ada", "metadata": {"email": "ada@shop.de"}}
    tell = """
    INSERT INTO webhook_messages (notification_id, tenant_id, endpoint_id, type, data)
    VALUES (%s, %s, %s, 'notification.sent', %s)
    """
    await change(database, tell, event, tenants.alice.id, new_id(), Jsonb(data))
    await office.erase(tenants.alice, "ada")
    row = await notification(database, event)
    assert (row["state"], row["reason"], row["user_id"]) == ("skipped", "erased", None)
    [told] = await rows(database, "SELECT data FROM webhook_messages WHERE notification_id = %s", event)
    assert told["data"] == {"status": "sent"}


@pytest.mark.parametrize(
    ("reason", "detail", "told"),
    [
        (
            "quiet_hours",
            {"zone": "X/Y", "zone_unknown": True},
            "Waiting: quiet hours until 2026-11-21 08:00 UTC.",
        ),
        ("frequency_cap", {"limit": 5, "per": "hour"}, "Waiting: over 5 per hour, next place at 2026-11-21 08:00 UTC."),
        ("paused", {"for_good": True}, "Waiting: paused by the person until they say otherwise."),
        ("digest", {"zone": "Asia/Tokyo"}, "Waiting: digest closes at 2026-11-21 08:00 UTC."),
    ],
)
async def test_what_policy_decided_can_be_told_without_the_person(  # noqa: PLR0913, PLR0917 - a table
    office: Office, database: Database, tenants: Tenants, reason: str, detail: dict[str, Any], told: str
) -> None:
    one = await accepted(database, Draft(tenants.alice.id))
    note = """
    INSERT INTO notification_events (notification_id, tenant_id, kind, reason, detail)
    VALUES (%s, %s, 'deferred_by_policy', %s, %s)
    """
    said = Jsonb(detail | {"channel": "email", "until": "2026-11-21T08:00:00+00:00", "address": "ada@shop.de"})
    await change(database, note, one, tenants.alice.id, reason, said)
    await office.erase(tenants.alice, "ada")
    [event, _] = await rows(database, EVENTS, one)
    assert told_of(event["kind"], event["reason"], event["detail"]) == told
    assert event["detail"].keys() & {"zone", "address"} == set()
