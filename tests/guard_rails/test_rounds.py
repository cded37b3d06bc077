"""Tasks stop themselves: once for the same evidence, only past the sample, and nobody else's."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from postroom.database.engine import Database
from postroom.guard_rails.rounds import RailRounds
from postroom.guard_rails.service import GuardRails
from postroom.guard_rails.watching import look
from postroom.timing import Timing
from postroom.webhooks.models import EventType
from postroom.webhooks.task_events import tell_task
from tests.fixtures.database import Tenant, Tenants
from tests.fixtures.frozen_tasks import Sending, sending_task
from tests.fixtures.rows import change, rows

AT_ONCE = Timing(rail_check=timedelta(0))
ENDPOINT = """
INSERT INTO webhook_endpoints (id, tenant_id, url, events, rate_per_minute, state, secret, secret_key_id, event_life,
    created_at, updated_at)
VALUES (uuidv7(), %s, 'https://shop.de/hook', %s, 100, 'enabled', '', 'test', '3 days', now(), now())
"""
TOLD = "SELECT type, data FROM webhook_messages WHERE tenant_id = %s ORDER BY notification_id"


async def rounds(database: Database, workers: int = 1) -> None:
    await asyncio.gather(*(RailRounds(database, AT_ONCE).round() for _ in range(workers)))


async def events(task: Sending) -> list[tuple[str, str | None]]:
    found = await rows(task.database, "SELECT kind, reason FROM task_events WHERE task_id = %s ORDER BY id", task.id)
    return [(row["kind"], row["reason"]) for row in found]


async def state(task: Sending) -> tuple[str, str | None]:
    row = await task.row()
    return row["state"], row["reason"]


async def subscribe(database: Database, tenant: Tenant, *types: EventType) -> None:
    await change(database, ENDPOINT, tenant.id, [str(one) for one in types])


async def told(database: Database, tenant: Tenant) -> list[tuple[str, dict[str, Any]]]:
    return [(row["type"], row["data"]) for row in await rows(database, TOLD, tenant.id)]


@pytest.fixture
async def task(database: Database, tenants: Tenants) -> Sending:
    """A task, the only one that sends: rounds look at those of all tests."""
    await change(database, "UPDATE campaign_tasks SET state = 'completed' WHERE state = 'sending'")
    return await sending_task(database, tenants.alice.id, 1200, page=100)


async def test_bad_addresses_pause_a_task_once_however_many_look(
    database: Database, tenants: Tenants, task: Sending
) -> None:
    await subscribe(database, tenants.alice, EventType.TASK_PAUSED)
    await subscribe(database, tenants.decoy, EventType.TASK_PAUSED)
    other = await sending_task(database, tenants.decoy.id, 300)
    await other.become("accepted", *range(1, 301))
    await task.become("accepted", *range(1, 191))
    await task.become("rejected", *range(191, 201), reason="mailbox_unknown")
    await rounds(database, workers=3)
    assert await state(task) == ("paused", "guard_bounce_rate")
    assert ((await task.row())["owed"], await state(other)) == (True, ("sending", None))
    await rounds(database)
    assert await events(task) == [("paused", "guard_bounce_rate")]
    [(kind, data)] = await told(database, tenants.alice)
    assert (kind, data["status"], data["reason"], data["audience"]) == (
        "task.paused", "paused", "guard_bounce_rate", 1200,
    )  # fmt: skip
    assert data["evidence"] == {"rail": "bounce_rate", "count": 10, "of": 200, "percent": 5.0, "limit": 5.0}
    assert await told(database, tenants.decoy) == []


async def test_one_short_of_the_sample_nothing_happens(database: Database, task: Sending) -> None:
    await task.become("accepted", *range(1, 100))
    await task.become("rejected", *range(100, 200), reason="mailbox_unknown")
    await rounds(database)
    assert (await state(task), await events(task)) == (("sending", None), [])


async def test_resumed_it_counts_anew(database: Database, task: Sending) -> None:
    await task.become("accepted", *range(1, 181))
    await task.become("rejected", *range(181, 201), reason="mailbox_unknown")
    await rounds(database)
    assert await state(task) == ("paused", "guard_bounce_rate")
    await task.tell("bounced", *range(1, 31), permanent=True)  # while it rests: the operator sees these too
    await task.put("sending")
    await rounds(database)
    await task.become("accepted", *range(201, 380))
    await task.become("rejected", *range(380, 400), reason="mailbox_unknown")
    await rounds(database)
    assert await state(task) == ("sending", None)  # 199 since
    await task.become("rejected", 400, reason="mailbox_unknown")
    await rounds(database)
    assert await state(task) == ("paused", "guard_bounce_rate")
    assert await events(task) == [("paused", "guard_bounce_rate")] * 2


async def test_complaints_warn_once_and_then_pause(database: Database, tenants: Tenants, task: Sending) -> None:
    await subscribe(database, tenants.alice, EventType.TASK_PAUSED, EventType.TASK_WARNING)
    await task.become("accepted", *range(1, 1001))
    await task.settle(*range(1, 11))
    await task.tell("complained", 1)
    await rounds(database)
    await rounds(database)
    assert await state(task) == ("sending", None)
    await task.tell("complained", 2, 3)
    await rounds(database)
    assert await state(task) == ("paused", "guard_complaint_rate")
    assert [kind for kind, _ in await told(database, tenants.alice)] == ["task.guard_rail_warning", "task.paused"]
    assert await events(task) == [
        ("guard_rail_warning", "guard_complaint_rate"), ("paused", "guard_complaint_rate"),
    ]  # fmt: skip


async def test_a_burst_of_policy_refusals_pauses_and_an_old_one_does_not(database: Database, task: Sending) -> None:
    await task.become("rejected", *range(1, 61), reason="policy_refusal")
    statement = "UPDATE deliveries SET ended_at = ended_at - interval '12 minutes' WHERE task_id = %s"
    await change(database, statement, task.id)
    await rounds(database)
    assert await state(task) == ("sending", None)
    await task.become("rejected", *range(61, 111), reason="policy_refusal")
    await rounds(database)
    assert await state(task) == ("paused", "guard_policy_refusals")


async def test_messages_without_words_pause(database: Database, task: Sending) -> None:
    await task.become("accepted", *range(1, 49))
    await task.become("failed", 49, reason="template_undefined")
    await task.become("failed", 51, reason="outcome_unknown")
    await rounds(database)
    assert await state(task) == ("sending", None)
    await task.become("failed", 50, reason="template_value_invalid")
    await rounds(database)
    assert await state(task) == ("paused", "guard_render_failures")


@pytest.mark.parametrize("meanwhile", ["paused", "cancelled", "completed"])
async def test_who_was_quicker_is_not_overruled(database: Database, task: Sending, meanwhile: str) -> None:
    await task.become("rejected", *range(1, 301), reason="mailbox_unknown")
    await task.put(meanwhile, "by_hand")
    await rounds(database)
    assert (await state(task), await events(task)) == ((meanwhile, "by_hand"), [])


async def test_a_tenant_chooses_its_own_rails(database: Database, tenants: Tenants, task: Sending) -> None:
    await GuardRails(database).put(tenants.alice.id, {"bounce_rate": {"pause_percent": None, "warn_percent": None}})
    await task.become("rejected", *range(1, 301), reason="mailbox_unknown")
    await rounds(database)
    assert await state(task) == ("sending", None)
    await GuardRails(database).put(tenants.alice.id, {})
    await rounds(database)
    assert await state(task) == ("paused", "guard_bounce_rate")


async def test_endpoints_are_told_of_a_task_that_is_over(database: Database, tenants: Tenants, task: Sending) -> None:
    await subscribe(database, tenants.alice, EventType.TASK_COMPLETED)
    await task.put("completed")
    async with database.tenant_transaction(tenants.alice.id) as connection:
        assert await tell_task(connection, task.id, EventType.TASK_COMPLETED, {"counts": {"accepted": 1200}}) == 1
        assert await tell_task(connection, task.id, EventType.TASK_CANCELLED) == 0
    async with database.tenant_transaction(tenants.decoy.id) as connection:
        assert await tell_task(connection, task.id, EventType.TASK_COMPLETED) == 0
    [(kind, data)] = await told(database, tenants.alice)
    assert (kind, data["status"], data["counts"]) == ("task.completed", "completed", {"accepted": 1200})


async def test_a_task_that_cannot_be_looked_at_keeps_no_other_waiting(
    database: Database, task: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [await sending_task(database, task.tenant_id, 1) for _ in range(3)]
    await task.become("accepted", *range(1, 191))
    await task.become("rejected", *range(191, 201), reason="mailbox_unknown")

    async def looked(connection: Any, tenant_id: UUID, task_id: UUID) -> Any:
        if task_id in {one.id for one in broken}:
            await connection.execute("SELECT 1 / 0")
        return await look(connection, tenant_id, task_id)

    monkeypatch.setattr("postroom.guard_rails.rounds.look", looked)
    await rounds(database)
    assert await state(task) == ("paused", "guard_bounce_rate")
