"""The workflow of digests on a real server: what a person sees in it, and what it survives."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from postroom.database.engine import Database
from postroom.digests import gathering
from postroom.digests.service import Digests
from postroom.identity import DIGEST, public_id
from tests.digests.ground import TYPE, Ground, tomorrow
from tests.digests.workshop import PATIENCE, Workshop, workshop
from tests.fixtures.database import make_tenants
from tests.fixtures.rows import Draft, change
from tests.fixtures.waiting import until
from workflows import workers

WEEK = timedelta(days=7)


@pytest.fixture(params=[workers.CACHED_WORKFLOWS, 0], ids=["cached", "replayed"])
async def shop(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    fresh_database: Database,
    time_machine: WorkflowEnvironment,
) -> AsyncIterator[Workshop]:
    """Workers of this test; without a cache each task replays the whole history so far."""
    monkeypatch.setattr(workers, "CACHED_WORKFLOWS", request.param)
    async with workshop(time_machine.client, fresh_database) as opened:
        yield opened


@pytest.fixture
async def ground(shop: Workshop) -> Ground:
    """A tenant in a database of its own: the poker starts whatever it finds."""
    alice = (await make_tenants(shop.database)).alice
    return Ground(shop.database, alice.id, alice.slug)


async def timers(run: WorkflowHandle[Any, Any], count: int) -> list[HistoryEvent]:
    """The timers of a run, at least so many; each is in its history a little after the look is in the rows."""
    found: list[HistoryEvent] = []

    async def are_set() -> bool:
        events = (await run.fetch_history()).events
        found[:] = [event for event in events if event.HasField("timer_started_event_attributes")]
        return len(found) >= count

    await until(are_set, PATIENCE)
    return found


async def test_a_week_is_slept_through_on_one_timer(
    shop: Workshop, ground: Ground, time_machine: WorkflowEnvironment
) -> None:
    for _ in range(3):
        await ground.waits(closes_at=tomorrow() + WEEK)
    digest = await ground.digest()
    run = await shop.asleep(digest["id"])
    assert run.id == f"digest/{ground.slug}/{public_id(DIGEST, digest['id'])}"
    [timer] = await timers(run, 1)
    slept = timer.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
    assert timedelta(days=7) < slept <= timedelta(days=8)
    assert f"digest closes at {tomorrow() + WEEK:%Y-%m-%d %H:%M} UTC".encode() in timer.user_metadata.summary.data

    await ground.let_pass(WEEK + timedelta(days=1))
    await time_machine.fast_forward(run, WEEK + timedelta(days=1, minutes=1))
    assert await run.result() == {"sent": 1}
    assert (await ground.digest())["items"] == 3


async def test_a_clock_that_runs_ahead_closes_nothing_early(
    shop: Workshop, ground: Ground, time_machine: WorkflowEnvironment
) -> None:
    await ground.waits()
    run = await shop.asleep((await ground.digest())["id"])
    await time_machine.fast_forward(run, timedelta(days=1, minutes=1))
    assert (await run.describe()).status == WorkflowExecutionStatus.RUNNING
    assert (await ground.digest())["state"] == "open"


async def test_a_clock_that_was_set_forward_is_noticed(shop: Workshop, ground: Ground) -> None:
    await ground.waits()
    run = await shop.asleep((await ground.digest())["id"])
    await ground.let_pass()
    await change(shop.database, "UPDATE closings SET wake_by = now() - interval '1 s'")
    await shop.poker.round()
    assert await run.result() == {"sent": 1}


async def test_it_follows_a_digest_that_is_moved(shop: Workshop, ground: Ground) -> None:
    one = await ground.waits(closes_at=tomorrow() + WEEK)
    digest = await ground.digest()
    await shop.asleep(digest["id"])
    await ground.collected([one], Draft(ground.tenant_id), tomorrow())
    run = await shop.asleep(digest["id"])
    [_, latest] = await timers(run, 2)
    assert latest.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta() < timedelta(days=1, hours=1)


async def test_one_that_is_closed_by_hand_goes_at_once(shop: Workshop, ground: Ground) -> None:
    await ground.waits()
    digest = await ground.digest()
    run = await shop.asleep(digest["id"])
    await Digests(shop.database).close(ground.tenant_id, digest["id"])
    await shop.poker.round()
    assert await run.result() == {"sent": 1}


async def test_one_that_was_terminated_is_carried_on(shop: Workshop, ground: Ground) -> None:
    await ground.waits()
    digest = await ground.digest()
    run = await shop.asleep(digest["id"])
    await run.terminate("by hand")
    await ground.let_pass()
    await change(shop.database, "UPDATE closings SET wake_by = now() - interval '1 s'")
    await shop.poker.round()
    assert await (await shop.handle(digest["id"])).result() == {"sent": 1}
    assert len(await ground.told()) == 1


# Without a cache the engine drops what several runs have begun; a page is replayed from its golden history.
@pytest.mark.parametrize("shop", [workers.CACHED_WORKFLOWS], indirect=True)
async def test_many_that_close_at_one_instant_share_a_workflow(
    shop: Workshop, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "ALONE", 3)
    for number in range(3):
        await ground.waits(Draft(ground.tenant_id, user_id=f"early-{number}"))
    assert [one["kind"] for one in await ground.closings()] == ["alone"] * 3
    for number in range(70):
        await ground.waits(Draft(ground.tenant_id, user_id=f"late-{number}"))
    *few, page = await ground.closings()
    assert (len(few), page["kind"], page["size"]) == (3, "page", 70)
    assert page["workflow_id"].startswith(f"digests/{ground.slug}/closing_")
    await ground.let_pass()
    await shop.poker.round()
    handle = shop.client.get_workflow_handle(page["workflow_id"])
    assert await handle.result() == {"sent": 70}
    async with asyncio.timeout(PATIENCE):
        await until(lambda: all_told(ground, 73), PATIENCE)


async def all_told(ground: Ground, count: int) -> bool:
    return len(await ground.told()) == count


async def test_no_personal_data_crosses_the_engine(shop: Workshop, ground: Ground) -> None:
    await ground.waits(Draft(ground.tenant_id, user_id="ada-lovelace", metadata={"email": "ada@example.com"}))
    digest = await ground.digest()
    run = await shop.asleep(digest["id"])
    assert await (await run.describe()).static_summary() == "digest over in_app"
    await Digests(shop.database).close(ground.tenant_id, digest["id"])
    await shop.poker.round()
    await run.result()
    history = (await run.fetch_history()).to_json()
    for secret in ("ada-lovelace", "ada@example.com", "A word from us", TYPE):
        assert secret not in history
