"""Pages whose worker stands still, loses the engine, or whose run is terminated: each member ends, once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC
from uuid import UUID

import pytest

from tests.chaos.house import SECOND_WORKER, WORKER, House, Told
from tests.chaos.line import Line
from tests.chaos.loads import DEMO, Load, accept
from tests.chaos.oracle import ended, judge
from tests.chaos.report import Report
from tests.chaos.terminating import terminate_running
from tests.fixtures.sink import Behaviour
from tests.fixtures.waiting import until
from workflows.engine import connect

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

PATIENCE = 120.0
AFTERLIFE_SECONDS = 2.0
PAST_ITS_HEARTBEAT_SECONDS = 1.0
SLOW = Behaviour.hang("dot", 0.3)

MARKED = """
SELECT c.workflow_id, max(a.at) AS last
FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id JOIN notifications n ON n.id = d.notification_id
    JOIN carriers c ON c.id = n.carrier_id
WHERE n.id = ANY(%s) AND a.event = 'marked' AND a.worker LIKE '%%/' || %s GROUP BY c.workflow_id
"""


@pytest.fixture
def told(report: Report) -> Told:
    return {WORKER: in_pages(report)}


@pytest.fixture
async def slow_house(house: House) -> AsyncIterator[House]:
    """The house, sending to a server that takes its time, so that pages can be met half done."""
    house.sink.behave("ok", SLOW)
    yield house
    house.sink.behave("ok")


def in_pages(report: Report) -> dict[str, str]:
    return {"POSTROOM_PAGE_SIZE": str(report.size(50, 500))}


async def half_done(house: House, name: str, count: int) -> list[UUID]:
    """Load a backlog and wait until some of it has gone."""
    before = len(house.sink.accepted)
    tenant_id = (await house.rows(DEMO))[0]["id"]
    ids = await accept(house.database_url, Load(tenant_id, name, count))

    async def some_have_gone() -> bool:
        return len(house.sink.accepted) - before > count // 10

    await until(some_have_gone, PATIENCE)
    return ids


@pytest.mark.parametrize("wakes", ["past its heartbeat", "when all is done"])
async def test_a_worker_that_stands_still_in_the_middle_of_pages(slow_house: House, report: Report, wakes: str) -> None:
    house = slow_house
    await house.tell(SECOND_WORKER, in_pages(report))
    ids = await half_done(house, f"stopped-{wakes[:4]}", report.size(300, 2_000))
    house.freeze(WORKER)
    if wakes == "when all is done":
        await ended(house, ids, PATIENCE)
    else:
        await asyncio.sleep(PAST_ITS_HEARTBEAT_SECONDS)
    house.thaw(WORKER)
    await ended(house, ids, PATIENCE)
    await asyncio.sleep(AFTERLIFE_SECONDS)
    verdict = await judge(house, ids)
    report.note(f"stopped, continued {wakes}", messages=len(ids), unknown=len(verdict.unknown), **verdict.faults)
    assert not verdict.faults


async def test_a_page_retried_while_its_first_attempt_still_runs(slow_house: House, report: Report) -> None:
    """The first worker loses the engine alone: its heartbeats stop, its hand-offs go on, and another has its pages."""
    house = slow_house
    async with Line.to(house.temporal_address) as line:
        await house.tell(WORKER, in_pages(report) | {"TEMPORAL_ADDRESS": line.address})
        await house.tell(SECOND_WORKER, in_pages(report))
        ids = await half_done(house, "retried", report.size(300, 2_000))
        line.freeze()
        await ended(house, ids, PATIENCE)
        line.thaw()
        await asyncio.sleep(AFTERLIFE_SECONDS)
        verdict = await judge(house, ids)
        both = await at_the_same_time(house, ids)
        await house.kill(WORKER)
    report.note("retried while it runs", messages=len(ids), pages=both, unknown=len(verdict.unknown), **verdict.faults)
    assert not verdict.faults
    assert both > 0


async def at_the_same_time(house: House, ids: list[UUID]) -> int:
    """How many pages the worker still marked for after another attempt of their pass had begun."""
    client = await connect(house.temporal_address, "default")
    both = 0
    for row in await house.rows(MARKED, ids, str(house.pid(WORKER))):
        history = await client.get_workflow_handle(row["workflow_id"]).fetch_history()
        begun = [
            event.event_time.ToDatetime(UTC)
            for event in history.events
            if event.activity_task_started_event_attributes.attempt > 1
        ]
        both += any(time < row["last"] for time in begun)
    return both


async def test_runs_terminated_by_hand_in_the_middle_of_pages(slow_house: House, report: Report) -> None:
    house = slow_house
    ids = await half_done(house, "terminated", report.size(300, 2_000))
    terminated = await terminate_running(house, ids)
    await ended(house, ids, PATIENCE)
    verdict = await judge(house, ids)
    report.note("pages terminated", messages=len(ids), runs=terminated, unknown=len(verdict.unknown), **verdict.faults)
    assert terminated > 1
    assert not verdict.faults
