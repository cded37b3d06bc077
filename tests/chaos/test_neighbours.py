"""One tenant's backlog beside another's few: these are not delayed by more than a page, counted in mails."""

import pytest
from temporalio.client import Client

from tests.chaos.depot import PAGE, open_depot
from tests.chaos.loads import Load
from tests.chaos.oracle import ended, judge
from tests.chaos.report import Report
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

FEW = 50
PAGES_AHEAD = 1
PATIENCE = 1200.0


async def test_few_do_not_wait_for_a_neighbours_backlog(
    engine: Client, fresh_database_url: str, report: Report
) -> None:
    many = report.size(5_000, 50_000)
    async with open_depot(engine, fresh_database_url) as depot:
        crowd = await depot.load(Load(depot.neighbour.id, "many", many))

        async def under_way() -> bool:
            return len(depot.sink.accepted) > PAGE

        await until(under_way, PATIENCE)
        few = await depot.load(Load(depot.tenant.id, "few", FEW))
        before = len(depot.sink.accepted)
        await ended(depot, few, PATIENCE)
        after = depot.sink.accepted[before:]
        last = max(place for place, letter in enumerate(after) if "+few." in letter.to)
        ahead = sum("+many." in letter.to for letter in after[:last])
        await ended(depot, crowd, PATIENCE)
        verdict = await judge(depot, [*crowd, *few])
    report.note(f"neighbours-{many}-{FEW}", ahead_of_the_last=ahead)
    assert not verdict.faults
    assert ahead <= PAGES_AHEAD * PAGE
