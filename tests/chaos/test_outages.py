"""The mail server is gone for an hour with a backlog behind it: few ask for it, nothing is counted, then all go."""

import asyncio
import math
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.client import Client

from postroom.timing import Timing
from tests.chaos.depot import BRISK, CONNECTIONS, PAGE, open_depot
from tests.chaos.loads import Load
from tests.chaos.oracle import ended, judge
from tests.chaos.report import Report
from tests.fixtures.sink import Behaviour
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

EVERYONE = "*"
PATIENCE = 240.0
HOUR = timedelta(hours=1)

# Waits that nobody's own statement wrote would differ: a page is put off by one.
WAITING = "SELECT count(*) AS count, count(DISTINCT not_before) AS times FROM deliveries WHERE state <> 'accepted'"
TRIED = "SELECT attempt, count(*) AS count FROM deliveries WHERE notification_id = ANY(%s) GROUP BY attempt"
TOLD = "SELECT event, count(*) AS count FROM delivery_attempts GROUP BY event"


def slowed(scale: float) -> Timing:
    """The waits of an outage at this scale, everything else as in the other rounds."""
    whole = Timing()
    return replace(BRISK, outage_first=whole.outage_first * scale, outage_last=whole.outage_last * scale)


async def test_an_hour_without_a_mail_server(engine: Client, fresh_database_url: str, report: Report) -> None:
    count, scale = report.size(500, 10_000), 1 / report.size(300, 60)
    timing = slowed(scale)
    async with open_depot(engine, fresh_database_url, timing) as depot:
        depot.sink.behave(EVERYONE, Behaviour.drop("banner"))
        ids = await depot.load(Load(depot.tenant.id, "outage", count))

        async def noticed() -> bool:
            return bool((await depot.rows(WAITING))[0]["count"] == count)

        await until(noticed, PATIENCE)
        await asyncio.sleep((HOUR * scale).total_seconds())
        probes = depot.sink.connections
        [waiting] = await depot.rows(WAITING)
        depot.sink.behave(EVERYONE)
        await ended(depot, ids, PATIENCE)
        verdict = await judge(depot, ids)
        tried = {row["attempt"]: row["count"] for row in await depot.rows(TRIED, ids)}
        told = {row["event"]: row["count"] for row in await depot.rows(TOLD)}
    report.note(f"outage-{count}", probes=probes, waiting=waiting["count"], due_times=waiting["times"])
    assert not verdict.faults
    assert waiting["count"] == count
    assert waiting["times"] <= math.ceil(count / PAGE)
    # All connections find out at once; after that one at a time tries, and doubles its wait up to the longest.
    doubling = math.ceil(math.log2(timing.outage_last / timing.outage_first))
    assert probes <= CONNECTIONS + doubling + HOUR * scale / timing.outage_last + 2
    assert tried == {1: count}
    assert told == {"marked": count, "accepted": count}
