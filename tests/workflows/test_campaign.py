"""The workflow of a task on a real server, with mail to the fault sink."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from postroom.campaigns.pages import owe_tasks
from postroom.channels.base import Answer, Evidence, Mark, Parcel, Phase, Suspect, Verdict
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.timing import Timing
from tests.fixtures.database import Tenant, Tenants
from tests.fixtures.engine import Running, working
from tests.fixtures.rows import change
from tests.fixtures.sink import Behaviour, Sink
from tests.fixtures.tasks import Sale, by_state, exact, launched, open_mailroom, people, task_row
from tests.fixtures.waiting import until
from workflows.workers import CACHED_WORKFLOWS

TIMING = replace(
    Timing(),
    heartbeat_patience=timedelta(seconds=2),
    retry_first=timedelta(seconds=3),
    watch_grace=timedelta(seconds=1),
)
PATIENCE = 90.0


class FrozenServices:
    """A way out that is shut until it is opened."""

    kind = ChannelKind.EMAIL

    def __init__(self) -> None:
        self.open = False
        self.asked = 0

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:
        self.asked += 1
        if not self.open:
            wait = timedelta(seconds=1)
            return Answer(Verdict.UNAVAILABLE, Phase.CONNECT, "all_services_frozen", retry_after=wait)
        assert await mark(parcel.message or b"a message", "service")
        return Answer(Verdict.ACCEPTED, Phase.ANSWER, "accepted", "service")

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:
        return dict.fromkeys((one.delivery_id for one in suspects), Evidence.SILENT)

    async def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One task under way on a real engine."""

    tenant: Tenant
    task: UUID
    house: Running
    sink: Sink
    database: Database

    @property
    def handle(self) -> WorkflowHandle[object, object]:
        """The workflow of the task."""
        return self.house.client.get_workflow_handle(f"campaign/{self.tenant.slug}/task_{self.task.hex}")

    async def poke(self, change_first: str = "") -> None:
        """Change the task as the API does, in one transaction with the owed look, and poke."""
        async with self.database.tenant_transaction(self.tenant.id) as connection:
            if change_first:
                await connection.execute(f"UPDATE campaign_tasks SET {change_first} WHERE id = %s", (self.task,))
            await owe_tasks(connection, [self.task])
        await self.house.tasks.round()

    async def ended(self) -> dict[str, object]:
        """Wait for the end of the task, poking as a worker does, and return its row."""

        async def over() -> bool:
            await self.house.tasks.round()
            return bool((await task_row(self.database, self.task))["ended_at"])

        await until(over, PATIENCE)
        return await task_row(self.database, self.task)


@asynccontextmanager
async def staged(engine: Client, database: Database, tenant: Tenant, count: int) -> AsyncIterator[Stage]:
    """Launch a task to so many people, and start the workers."""
    await people(database, tenant.id, count)
    task = await launched(database, Sale(tenant.id))
    async with (
        Sink.open() as sink,
        open_mailroom(database, sink, TIMING) as mailroom,
        working(engine, mailroom.outfit) as house,
    ):
        yield Stage(tenant, task, house, sink, database)


async def test_a_task_is_started_by_its_poker_and_ends_with_everybody_accounted_for(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    async with staged(engine, database, tenants.alice, 5_000) as stage:
        assert await stage.house.tasks.round() == 1
        row = await stage.ended()
        assert await stage.handle.result() == {"accepted": 5_000}
        history = await stage.handle.fetch_history()
        assert len(stage.sink.copies()) == len(stage.sink.accepted) == 5_000
    assert (row["state"], row["totals"]) == ("completed", {"accepted": 5_000})
    row = await task_row(database, stage.task)
    assert (row["owed"], row["wake_by"]) == (False, None)
    assert await by_state(database, stage.task) == {"accepted": 5_000}
    assert len(history.events) <= 5 * 50 + 40
    said = history.to_json()
    for secret in ("user000001", "user1@", "News for"):
        assert secret not in said


async def test_it_is_paused_and_resumed_in_the_middle(database: Database, tenants: Tenants, engine: Client) -> None:
    async with staged(engine, database, tenants.alice, 1_500) as stage:
        await stage.poke()

        async def begun() -> bool:
            return len(stage.sink.accepted) > 100

        await until(begun, PATIENCE)
        await stage.poke("state = 'paused', reason = 'requested'")
        await asyncio.sleep(2)
        there = len(stage.sink.accepted)
        assert there < 1_500
        counted = await exact(database, tenants.alice.id, stage.task)
        assert counted == {"accepted": there, "pending": 1_500 - there}
        await asyncio.sleep(0.5)
        assert len(stage.sink.accepted) == there
        await stage.poke("state = 'sending', reason = NULL")
        assert (await stage.ended())["totals"] == {"accepted": 1_500}
        assert len(stage.sink.copies()) == len(stage.sink.accepted) == 1_500


async def test_it_is_cancelled_in_the_middle(database: Database, tenants: Tenants, engine: Client) -> None:
    async with staged(engine, database, tenants.alice, 1_000) as stage:
        await stage.poke()

        async def begun() -> bool:
            return len(stage.sink.accepted) > 100

        await until(begun, PATIENCE)
        await stage.poke("state = 'paused', reason = 'cancelling', cancel_requested = true")
        row = await stage.ended()
        there = len(stage.sink.accepted)
        assert (row["state"], row["totals"]) == ("cancelled", {"accepted": there, "cancelled": 1_000 - there})


async def test_a_workflow_terminated_by_hand_is_followed_by_another(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    async with staged(engine, database, tenants.alice, 200) as stage:
        stage.sink.behave("user7@", Behaviour.refuse("rcpt", "450 4.2.1 Later", times=1))
        await stage.poke()

        async def nearly() -> bool:
            return len(stage.sink.accepted) == 199

        await until(nearly, PATIENCE)
        await stage.handle.terminate("by hand")
        assert (await stage.handle.describe()).status == WorkflowExecutionStatus.TERMINATED
        await change(database, "UPDATE campaign_tasks SET wake_by = now() - interval '1 s' WHERE id = %s", stage.task)
        assert (await stage.ended())["totals"] == {"accepted": 200}
        assert len(stage.sink.copies()) == len(stage.sink.accepted) == 200


async def test_frozen_services_pause_it_and_it_goes_on_by_itself(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    await people(database, tenants.alice.id, 120)
    task = await launched(database, Sale(tenants.alice.id))
    services = FrozenServices()
    async with (
        Sink.open() as sink,
        open_mailroom(database, sink, TIMING, services) as mailroom,
        working(engine, mailroom.outfit) as house,
    ):
        stage = Stage(tenants.alice, task, house, sink, database)
        await stage.poke()

        async def paused() -> bool:
            row = await task_row(database, task)
            return (row["state"], row["reason"]) == ("paused", "all_services_frozen")

        await until(paused, PATIENCE)
        services.open = True
        assert (await stage.ended())["totals"] == {"accepted": 120}


# Without a cache the small one waits for the large one's histories, which no worker replays in earnest.
@pytest.mark.parametrize("cached_workflows", [CACHED_WORKFLOWS], indirect=True, ids=["cached"])
async def test_anothers_large_task_does_not_hold_up_a_small_one(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    await people(database, tenants.decoy.id, 200)
    async with staged(engine, database, tenants.alice, 12_000) as stage:
        await stage.poke()

        async def begun() -> bool:
            return len(stage.sink.accepted) > 100

        await until(begun, PATIENCE)
        small = await launched(database, Sale(tenants.decoy.id))
        row = await Stage(tenants.decoy, small, stage.house, stage.sink, database).ended()
        assert row["totals"] == {"accepted": 200}
        assert len(stage.sink.accepted) < 12_000
        await stage.poke("state = 'paused', reason = 'cancelling', cancel_requested = true")
        assert (await stage.ended())["state"] == "cancelled"
