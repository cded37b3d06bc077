"""What policy puts off waits on a durable timer that says why, and hears of a change of mind."""

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import DataConverter

from postroom.database.engine import Database
from postroom.policy.reconsidering import reconsidered
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.engine import running
from tests.fixtures.rows import Draft, accepted, deliveries, notification
from tests.policy.people import know
from tests.workflows.test_carrying import carrier_of, ended, looked

TIMING = Timing()
HOUR = timedelta(hours=1)
OFF = """
INSERT INTO preferences (tenant_id, user_id, notification_type, channel, enabled) VALUES (%s, 'ada', '*', '*', false)
"""


async def quiet_for(database: Database, tenants: Tenants, wait: timedelta) -> datetime:
    """Let ada sleep for a while, to the second; returns when the night is over."""
    now = datetime.now(UTC)
    end = (now + wait).replace(microsecond=0)
    hours = {"start": f"{now - HOUR:%H:%M:%S}", "end": f"{end:%H:%M:%S}"}
    await know(database, tenants.alice.id, time_zone="UTC", quiet_hours=hours)
    return end


async def timers(handle: WorkflowHandle[object, object]) -> list[str]:
    """What the timers of a workflow say they are for."""
    history = await handle.fetch_history()
    return [await said(event) for event in history.events if event.HasField("timer_started_event_attributes")]


async def said(event: HistoryEvent) -> str:
    [summary] = await DataConverter.default.decode([event.user_metadata.summary], [str])
    return str(summary)


async def waiting(database: Database, one: object) -> None:
    """Wait until policy has had its say."""
    async with asyncio.timeout(20):
        while not (found := await deliveries(database, one)) or found[0]["reason"] is None:  # type: ignore[arg-type] # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await looked(database, one)


async def test_a_night_ends_by_a_timer_that_nobody_has_to_remember(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    end = await quiet_for(database, tenants, timedelta(seconds=6))
    one = await accepted(database, Draft(tenants.alice.id, life=24 * HOUR))
    async with running(engine, database, TIMING) as house:
        await house.hand_over()
        handle = engine.get_workflow_handle(str((await carrier_of(database, one))["workflow_id"]))
        await waiting(database, one)
        assert (await notification(database, one))["state"] == "open"
        row = await ended(database, one)
        assert await handle.result() == {"sent": 1}
    assert row["state"] == "sent"
    assert (await notification(database, one))["ended_at"] >= end
    shown = f"{end:%H:%M:%S}".removesuffix(":00")  # a night ends on a full minute, told without seconds, or between two
    assert await timers(handle) == [f"quiet hours until {shown} UTC"]
    [delivery] = await deliveries(database, one)
    assert delivery["attempt"] == 1


async def test_a_change_of_mind_is_heard_while_it_waits(database: Database, tenants: Tenants, engine: Client) -> None:
    await quiet_for(database, tenants, 3 * HOUR)
    one = await accepted(database, Draft(tenants.alice.id, life=24 * HOUR))
    async with running(engine, database, TIMING) as house:
        await house.hand_over()
        await waiting(database, one)
        async with reconsidered(database, tenants.alice.id, "ada") as connection:
            await connection.execute(OFF, (tenants.alice.id,))
        await house.hand_over()
        row = await ended(database, one)
    assert (row["state"], row["reason"]) == ("skipped", "unsubscribed")
