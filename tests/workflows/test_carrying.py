"""The carrier's workflow on a real server: what a person sees, and what it survives."""

import asyncio
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus

from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.notifications.control import Control
from postroom.relay.sweeping import sweep
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.engine import running
from tests.fixtures.rows import Draft, accepted, change, notification, rows

TIMING = Timing()
PATIENCE = 20


async def carrier_of(database: Database, notification_id: object) -> dict[str, object]:
    statement = "SELECT c.* FROM carriers c JOIN notifications n ON n.carrier_id = c.id WHERE n.id = %s"
    return (await rows(database, statement, notification_id))[0]


async def ended(database: Database, notification_id: object) -> dict[str, object]:
    async with asyncio.timeout(PATIENCE):
        while True:
            [row] = await rows(database, "SELECT * FROM notifications WHERE id = %s", notification_id)
            if row["state"] != "open":
                return row
            await asyncio.sleep(0.05)


async def looked(database: Database, notification_id: object) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await carrier_of(database, notification_id))["owed"]:  # noqa: ASYNC110 - a row has no event
            await asyncio.sleep(0.05)


async def test_one_notification_is_one_activity(database: Database, tenants: Tenants, engine: Client) -> None:
    one = await accepted(database, Draft(tenants.alice.id))
    async with running(engine, database, TIMING) as house:
        await house.hand_over()
        assert (await ended(database, one))["state"] == "sent"
        handle = engine.get_workflow_handle(str((await carrier_of(database, one))["workflow_id"]))
        assert await handle.result() == {"sent": 1}
        history = await handle.fetch_history()
    scheduled = [event for event in history.events if event.HasField("activity_task_scheduled_event_attributes")]
    assert len(scheduled) == 1
    assert handle.id.startswith(f"notification/{tenants.alice.slug}/notif_")


async def test_a_schedule_waits_on_a_durable_timer_and_can_be_hurried(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    one = await accepted(database, Draft(tenants.alice.id, delay=timedelta(days=2)))
    async with running(engine, database, TIMING) as house:
        await house.hand_over()
        handle = engine.get_workflow_handle(str((await carrier_of(database, one))["workflow_id"]))
        await looked(database, one)
        assert await Control(database, TIMING).send_now(tenants.alice.id, one) == "due"
        await house.hand_over()
        assert (await ended(database, one))["state"] == "sent"
        assert await handle.result() == {"sent": 1}


async def test_a_carrier_terminated_by_hand_is_carried_again(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    one = await accepted(database, Draft(tenants.alice.id, delay=timedelta(days=2)))
    async with running(engine, database, TIMING) as house:
        await house.hand_over()
        carrier = await carrier_of(database, one)
        handle = engine.get_workflow_handle(str(carrier["workflow_id"]))
        await looked(database, one)
        await handle.terminate("by hand")
        assert (await handle.describe()).status == WorkflowExecutionStatus.TERMINATED
        await change(database, "UPDATE notifications SET due_at = now() WHERE id = %s", one)
        await change(database, "UPDATE carriers SET wake_by = now() - interval '1 s' WHERE id = %s", carrier["id"])
        assert (await sweep(database)).overslept == 1
        await house.hand_over()
        assert (await ended(database, one))["state"] == "sent"


async def test_fall_back_runs_in_the_same_carrier(database: Database, tenants: Tenants, engine: Client) -> None:
    channels = (ChannelKind.EMAIL, ChannelKind.IN_APP)
    one = await accepted(database, Draft(tenants.alice.id, channels=channels))
    async with running(engine, database, TIMING) as house:
        await house.hand_over()
        assert (await ended(database, one))["state"] == "sent"
    assert (await notification(database, one))["channel"] == ChannelKind.IN_APP


async def test_no_personal_data_crosses_the_engine(database: Database, tenants: Tenants, engine: Client) -> None:
    draft = Draft(tenants.alice.id, user_id="ada-lovelace", metadata={"email": "ada@example.com"})
    one = await accepted(database, draft)
    async with running(engine, database, TIMING) as house:
        await house.hand_over()
        await ended(database, one)
        handle = engine.get_workflow_handle(str((await carrier_of(database, one))["workflow_id"]))
        history = (await handle.fetch_history()).to_json()
    for secret in ("ada-lovelace", "ada@example.com", "A word from us"):
        assert secret not in history
