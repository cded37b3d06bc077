"""Thousands that wait for the same minute wake in few carriers, none of them early."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from temporalio.client import Client

from tests.chaos.depot import BRISK, PAGE, Depot, open_depot
from tests.chaos.loads import Load
from tests.chaos.oracle import ended, judge
from tests.chaos.report import Report
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

PATIENCE = 240.0
MINUTES = 2  # a run may see the minute turn

CARRIERS = """
SELECT c.kind, c.size, c.workflow_id FROM carriers c WHERE EXISTS (
    SELECT FROM notifications n WHERE n.carrier_id = c.id AND n.id = ANY(%s))
"""
PLACED = "SELECT count(*) AS count FROM notifications WHERE id = ANY(%s) AND carrier_id IS NOT NULL"
WAITS = """
SELECT min(later.at - earlier.at) AS shortest, count(*) AS count
FROM deliveries d JOIN delivery_attempts earlier ON earlier.delivery_id = d.id AND earlier.event = 'deferred'
    JOIN delivery_attempts later ON later.delivery_id = d.id AND later.event = 'marked'
WHERE d.notification_id = ANY(%s) AND d.attempt = 2
"""


async def workflows(depot: Depot) -> int:
    """How many workflows the engine has seen for the tenant."""
    return (await depot.client.count_workflows(f"PostroomTenant = '{depot.tenant.slug}'")).count


async def test_one_minutes_crowd_costs_a_workflow_for_each_page(
    engine: Client, fresh_database_url: str, report: Report
) -> None:
    count = report.size(2_000, 20_000)
    async with open_depot(engine, fresh_database_url) as depot:
        due_at = datetime.now(UTC) + timedelta(seconds=3 + count / 2_000)
        ids = await depot.load(Load(depot.tenant.id, "wake", count, due_at=due_at))
        await until(lambda: _all_placed(depot, ids), (due_at - datetime.now(UTC)).total_seconds())
        await ended(depot, ids, PATIENCE)
        verdict = await judge(depot, ids)
        carriers = await depot.rows(CARRIERS, ids)
        times = sorted(datetime.fromisoformat(letter.at) for letter in depot.sink.accepted)
        await until(lambda: _seen(depot, len(carriers)), 20)
        assert not verdict.faults
        assert {row["kind"] for row in carriers} == {"wake"}
        assert len(carriers) == math.ceil(count / PAGE)
        assert max(row["size"] for row in carriers) <= PAGE
        assert len(times) == count
        assert times[0] >= due_at
    late = (times[-1] - due_at).total_seconds()
    report.note(f"wake-{count}", carriers=len(carriers), last_late_seconds=round(late, 2))


async def test_retries_that_wait_long_gather_too(engine: Client, fresh_database_url: str, report: Report) -> None:
    count = report.size(1_000, 10_000)
    timing = replace(BRISK, retry_first=timedelta(seconds=3 + count / 1_000), release_after=timedelta(seconds=1))
    async with open_depot(engine, fresh_database_url, timing) as depot:
        ids = await depot.load(Load(depot.tenant.id, "retry", count, to="tempfail-rcpt-once"))
        await ended(depot, ids, PATIENCE)
        verdict = await judge(depot, ids)
        carriers = await depot.rows(CARRIERS, ids)
        [waited] = await depot.rows(WAITS, ids)
        all_carriers = await depot.rows("SELECT kind FROM carriers")
        assert not verdict.faults
        # Whose wait is shorter than the rest of a busy pass is still in its page when its time has come.
        kinds = {row["kind"] for row in carriers}
        assert "wake" in kinds
        assert kinds <= {"wake", "page"}
        assert len(all_carriers) <= 3 * (math.ceil(count / PAGE) + MINUTES)
        assert waited["count"] == count
        assert waited["shortest"] >= timing.retry_first
    report.note(f"released-{count}", carriers=len(all_carriers), wake=sum(row["kind"] == "wake" for row in carriers))


async def _all_placed(depot: Depot, ids: list[UUID]) -> bool:
    return bool((await depot.rows(PLACED, ids))[0]["count"] == len(ids))


async def _seen(depot: Depot, count: int) -> bool:
    return await workflows(depot) == count
