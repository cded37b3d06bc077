"""A sequence on a real server, over weeks: the timers are the engine's, the steps are the rows'."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from postroom.database.engine import Database
from postroom.identity import enrolment_workflow_id
from postroom.sequences.enrolling import Enrolments
from postroom.sequences.poking import Poker
from postroom.timing import Timing
from tests.fixtures.database import Tenant, Tenants
from tests.fixtures.rows import change
from tests.fixtures.schedules import recurring
from tests.fixtures.sequences import enrolled, enrolment, made, plan, steps_of, titles
from tests.fixtures.skipping import skipping
from tests.fixtures.waiting import until
from workflows.engine import connect
from workflows.starters import enrolment_starter

TIMING = Timing()
PATIENCE = 30


@pytest.fixture(scope="session")
async def hurried() -> AsyncIterator[WorkflowEnvironment]:
    """A server whose weeks are short."""
    async with skipping() as environment:
        yield environment


def poker(client: Client, database: Database) -> Poker:
    return Poker(database, enrolment_starter(client), TIMING)


def handle(client: Client, tenant: Tenant, enrolment_id: Any) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(enrolment_workflow_id(tenant.slug, enrolment_id))


async def test_two_weeks_pass_step_by_step(database: Database, tenants: Tenants, hurried: WorkflowEnvironment) -> None:
    alice, client = tenants.alice, hurried.client
    one = await enrolled(database, alice, await made(database, alice))
    begun = (await enrolment(database, one))["anchor_at"]
    async with recurring(client, database, TIMING):
        assert await poker(client, database).round() == 1
        assert await handle(client, alice, one).result() == {"sent": 3}
        took = (await handle(client, alice, one).describe()).close_time
        history = str((await handle(client, alice, one).fetch_history()).events)
    assert took is not None
    assert timedelta(days=13) <= took - begun < timedelta(days=13, hours=1)
    assert await titles(database, alice) == ["Welcome, Ada", "Three tips", "It ends tomorrow"]
    assert alice.id.hex[:8] in history
    for secret in ('"Ada"', '"ada"', "Three tips"):
        assert secret not in history


async def waits(database: Database, enrolment_id: Any) -> None:
    async def looked() -> bool:
        row = await enrolment(database, enrolment_id)
        return bool(row["pokes"] == 0 and row["next_poke_at"] > row["created_at"] + timedelta(minutes=1))

    await until(looked, PATIENCE)


async def test_an_event_ends_the_wait(database: Database, tenants: Tenants, engine: Client) -> None:
    alice = tenants.alice
    one = await enrolled(database, alice, await made(database, alice))
    async with recurring(engine, database, TIMING):
        await poker(engine, database).round()
        await waits(database, one)
        assert await Enrolments(database).happened(alice.id, "ada", "subscribed") == 1
        assert await poker(engine, database).round() == 1
        assert await handle(engine, alice, one).result() == {"cancelled": 2, "sent": 1}
    assert await poker(engine, database).round() == 0


async def test_a_workflow_that_an_operator_terminated_is_started_again(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    alice = tenants.alice
    one = await enrolled(database, alice, await made(database, alice))
    async with recurring(engine, database, TIMING):
        await poker(engine, database).round()
        await waits(database, one)
        await handle(engine, alice, one).terminate("by hand")
        assert (await handle(engine, alice, one).describe()).status == WorkflowExecutionStatus.TERMINATED
        await change(database, "UPDATE enrolment_steps SET due_at = now() WHERE enrolment_id = %s", one)
        await change(database, "UPDATE enrolments SET next_poke_at = now() WHERE id = %s", one)
        await poker(engine, database).round()
        assert await handle(engine, alice, one).result() == {"sent": 3}
    assert len(await titles(database, alice)) == 3


async def test_a_worker_that_died_while_a_step_was_due_sends_it_once(
    database: Database, tenants: Tenants, engine: Client
) -> None:
    alice = tenants.alice
    one = await enrolled(database, alice, await made(database, alice, plan(plan().course.steps[:1])))
    await poker(engine, database).round()  # nobody is there
    await asyncio.sleep(0.2)
    beside = await connect(engine.service_client.config.target_host, engine.namespace)
    async with recurring(engine, database, TIMING), recurring(beside, database, TIMING):
        assert await handle(engine, alice, one).result() == {"sent": 1}
    assert await titles(database, alice) == ["Welcome, Ada"]


async def test_the_wait_says_what_it_is_for(database: Database, tenants: Tenants, engine: Client) -> None:
    alice = tenants.alice
    one = await enrolled(database, alice, await made(database, alice))
    async with recurring(engine, database, TIMING):
        await poker(engine, database).round()
        await waits(database, one)
        due = (await steps_of(database, one))[1]["due_at"].astimezone(UTC)
        run, wait = handle(engine, alice, one), f"step 2 of 3 at {due:%Y-%m-%d %H:%M} UTC"

        async def says_so() -> bool:
            return wait in await told(run)

        await until(says_so, PATIENCE)  # the row says that it waits a moment before the timer does
        await handle(engine, alice, one).terminate("it would wait for days")


async def told(run: WorkflowHandle[Any, Any]) -> str:
    """What the engine's UI says beside the events of a run."""
    return str([event.user_metadata for event in (await run.fetch_history()).events])
